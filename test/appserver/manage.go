package appserver

import (
	"context"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// Manager offers the operations of the Management SDK's persistent mode and the acknowledged messages that no stock
// package sends any more (5.5). Each waits for the service's Ack.
type Manager struct {
	h     *HubServer
	scope *client
}

// Manage returns the management operations over a random server connection.
func (h *HubServer) Manage() Manager { return Manager{h: h} }

// Manage returns the management operations over the calling client's server connection.
func (c *Context) Manage() Manager { return Manager{h: c.c.h, scope: c.c} }

// ok asks and turns the answer into yes (Ok) or no (NotFound).
func (m Manager) ok(ctx context.Context, build func(id int32) service.Message) (bool, error) {
	ack, err := m.h.ask(ctx, m.scope, build)
	if err != nil {
		return false, err
	}
	return ack.Status == service.AckOK, nil
}

func (m Manager) do(ctx context.Context, build func(id int32) service.Message) error {
	_, err := m.h.ask(ctx, m.scope, build)
	return err
}

// UserAddToGroup puts every present and future connection of a user into a group (26).
func (m Manager) UserAddToGroup(ctx context.Context, userID, group string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.UserJoinGroupWithAck{UserID: userID, Group: group, AckID: id}
	})
}

// UserAddToGroupFor is UserAddToGroup for ttl, in whole seconds; 0 is sent as 0.
func (m Manager) UserAddToGroupFor(ctx context.Context, userID, group string, ttl time.Duration) error {
	seconds := int32(ttl / time.Second)
	return m.do(ctx, func(id int32) service.Message {
		return &service.UserJoinGroupWithAck{UserID: userID, Group: group, AckID: id, TTL: &seconds}
	})
}

// UserRemoveFromGroup ends a user's membership of a group (27).
func (m Manager) UserRemoveFromGroup(ctx context.Context, userID, group string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.UserLeaveGroupWithAck{UserID: userID, Group: group, AckID: id}
	})
}

// UserRemoveFromAllGroups ends all of a user's memberships (27 with a null group).
func (m Manager) UserRemoveFromAllGroups(ctx context.Context, userID string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.UserLeaveGroupWithAck{UserID: userID, AllGroups: true, AckID: id}
	})
}

// RemoveFromAllGroups takes one connection out of all groups (19 with a null group).
func (m Manager) RemoveFromAllGroups(ctx context.Context, connectionID string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.LeaveGroupWithAck{ConnectionID: connectionID, AllGroups: true, AckID: id}
	})
}

// UserInGroup reports whether a user is in a group (21).
func (m Manager) UserInGroup(ctx context.Context, userID, group string) (bool, error) {
	return m.ok(ctx, func(id int32) service.Message {
		return &service.CheckUserInGroupWithAck{UserID: userID, Group: group, AckID: id}
	})
}

// GroupExists reports whether a group has members (23).
func (m Manager) GroupExists(ctx context.Context, group string) (bool, error) {
	return m.ok(ctx, func(id int32) service.Message {
		return &service.CheckGroupExistenceWithAck{Group: group, AckID: id}
	})
}

// ConnectionExists reports whether a connection exists (24).
func (m Manager) ConnectionExists(ctx context.Context, connectionID string) (bool, error) {
	return m.ok(ctx, func(id int32) service.Message {
		return &service.CheckConnectionExistenceWithAck{ConnectionID: connectionID, AckID: id}
	})
}

// UserExists reports whether a user has connections (25).
func (m Manager) UserExists(ctx context.Context, userID string) (bool, error) {
	return m.ok(ctx, func(id int32) service.Message {
		return &service.CheckUserExistenceWithAck{UserID: userID, AckID: id}
	})
}

// CloseConnection closes a client with a reason, whoever carries it (5, without an answer).
func (m Manager) CloseConnection(ctx context.Context, connectionID, reason string) error {
	return m.h.write(ctx, m.scope, "", &service.CloseConnection{ConnectionID: connectionID, ErrorMessage: reason})
}

// CloseConnectionAck closes a client with a reason (30, obsolete); false says that there was none.
func (m Manager) CloseConnectionAck(ctx context.Context, connectionID, reason string) (bool, error) {
	return m.ok(ctx, func(id int32) service.Message {
		return &service.CloseConnectionWithAck{ConnectionID: connectionID, Reason: reason, AckID: id}
	})
}

// CloseAll closes every client of the hub but the excluded ones (31, obsolete).
func (m Manager) CloseAll(ctx context.Context, reason string, excluded ...string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.CloseConnectionsWithAck{Reason: reason, AckID: id, ExcludedConnectionIDs: excluded}
	})
}

// CloseUser closes every connection of a user but the excluded ones (32).
func (m Manager) CloseUser(ctx context.Context, userID, reason string, excluded ...string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.CloseUserConnectionsWithAck{
			UserID: userID, Reason: reason, AckID: id, ExcludedConnectionIDs: excluded,
		}
	})
}

// CloseGroup closes every connection of a group but the excluded ones (33).
func (m Manager) CloseGroup(ctx context.Context, group, reason string, excluded ...string) error {
	return m.do(ctx, func(id int32) service.Message {
		return &service.CloseGroupConnectionsWithAck{
			Group: group, Reason: reason, AckID: id, ExcludedConnectionIDs: excluded,
		}
	})
}

// GroupPage fetches one page of a group's members (40). top and pageSize of 0 are sent as null.
func (m Manager) GroupPage(ctx context.Context, group string, top, pageSize int, token string) (
	service.GroupMemberPage, error,
) {
	ack, err := m.h.ask(ctx, m.scope, func(id int32) service.Message {
		return &service.GroupMemberQuery{
			Group: group, AckID: id, Top: optional(top), MaxPageSize: optional(pageSize), ContinuationToken: token,
		}
	})
	if err != nil {
		return service.GroupMemberPage{}, err
	}
	if ack.Status == service.AckNotFound {
		return service.GroupMemberPage{}, nil
	}
	return service.DecodeGroupMemberPage(ack.Payload)
}

// GroupMembers lists a group's members as the SDK does: page after page until there is no token or top is used up. It
// returns the number of pages as well. top and pageSize of 0 mean no bound.
func (m Manager) GroupMembers(ctx context.Context, group string, top, pageSize int) (
	members []service.GroupMember, pages int, err error,
) {
	left, token := top, ""
	for {
		page, err := m.GroupPage(ctx, group, left, pageSize, token)
		if err != nil {
			return members, pages, err
		}
		pages++
		members = append(members, page.Members...)
		token = page.ContinuationToken
		if top > 0 {
			left = top - len(members)
		}
		if token == "" || (top > 0 && left <= 0) {
			return members, pages, nil
		}
	}
}

func optional(n int) *int32 {
	if n == 0 {
		return nil
	}
	v := int32(n)
	return &v
}

// RefreshAuth puts new claims and a new expiry on the client with a connection token (41). It returns the ack's status
// and the claims in its payload.
func (m Manager) RefreshAuth(ctx context.Context, connectionToken string, claims []Claim, expires time.Time) (
	service.AckStatus, service.Claims, error,
) {
	return m.claims(ctx, func(id int32) service.Message {
		return &service.RefreshAuth{ConnectionToken: connectionToken, Claims: claims, ExpiresOn: expires, AckID: id}
	})
}

// ConnectionClaims reads the claims of the client with a connection token (42).
func (m Manager) ConnectionClaims(ctx context.Context, connectionToken string) (
	service.AckStatus, service.Claims, error,
) {
	return m.claims(ctx, func(id int32) service.Message {
		return &service.GetConnectionClaims{ConnectionToken: connectionToken, AckID: id}
	})
}

func (m Manager) claims(ctx context.Context, build func(int32) service.Message) (
	service.AckStatus, service.Claims, error,
) {
	ack, err := m.h.ask(ctx, m.scope, build)
	if ack == nil {
		return 0, nil, err
	}
	if err != nil {
		return ack.Status, nil, err
	}
	claims, err := service.DecodeClaimsPayload(ack.Payload)
	return ack.Status, claims, err
}
