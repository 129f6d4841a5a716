package service

import "strconv"

// Type is the number of a message, item 0 of its body.
type Type int

// The message types (section 3.6). S means sent by app servers, V sent by the service.
const (
	TypeHandshakeRequest                Type = 1  // S
	TypeHandshakeResponse               Type = 2  // V
	TypePing                            Type = 3  // S V
	TypeOpenConnection                  Type = 4  // V
	TypeCloseConnection                 Type = 5  // S V
	TypeConnectionData                  Type = 6  // S V
	TypeMultiConnectionData             Type = 7  // S
	TypeUserData                        Type = 8  // S
	TypeMultiUserData                   Type = 9  // S
	TypeBroadcastData                   Type = 10 // S
	TypeJoinGroup                       Type = 11 // S
	TypeLeaveGroup                      Type = 12 // S
	TypeGroupBroadcastData              Type = 13 // S
	TypeMultiGroupBroadcastData         Type = 14 // S
	TypeServiceError                    Type = 15 // V
	TypeUserJoinGroup                   Type = 16 // S
	TypeUserLeaveGroup                  Type = 17 // S
	TypeJoinGroupWithAck                Type = 18 // S
	TypeLeaveGroupWithAck               Type = 19 // S
	TypeAck                             Type = 20 // V
	TypeCheckUserInGroupWithAck         Type = 21 // S
	TypeServiceEvent                    Type = 22 // V
	TypeCheckGroupExistenceWithAck      Type = 23 // S
	TypeCheckConnectionExistenceWithAck Type = 24 // S
	TypeCheckUserExistenceWithAck       Type = 25 // S
	TypeUserJoinGroupWithAck            Type = 26 // S
	TypeUserLeaveGroupWithAck           Type = 27 // S
	TypeAccessKeyRequest                Type = 28 // S
	TypeAccessKeyResponse               Type = 29 // V
	TypeCloseConnectionWithAck          Type = 30 // S
	TypeCloseConnectionsWithAck         Type = 31 // S
	TypeCloseUserConnectionsWithAck     Type = 32 // S
	TypeCloseGroupConnectionsWithAck    Type = 33 // S
	TypeClientInvocation                Type = 34 // S V
	TypeClientCompletion                Type = 35 // S V
	TypeErrorCompletion                 Type = 36 // S V
	TypeServiceMapping                  Type = 37 // V
	TypeConnectionReconnect             Type = 38 // V
	TypeConnectionFlowControl           Type = 39 // S V
	TypeGroupMemberQuery                Type = 40 // S
	TypeRefreshAuth                     Type = 41 // S, unproven
	TypeGetConnectionClaims             Type = 42 // S, unproven
	TypeUpdateConnectionClaims          Type = 43 // V, unproven
)

// typeNames holds the names of the known types; a known type has one.
var typeNames = [...]string{
	TypeHandshakeRequest:                "HandshakeRequest",
	TypeHandshakeResponse:               "HandshakeResponse",
	TypePing:                            "Ping",
	TypeOpenConnection:                  "OpenConnection",
	TypeCloseConnection:                 "CloseConnection",
	TypeConnectionData:                  "ConnectionData",
	TypeMultiConnectionData:             "MultiConnectionData",
	TypeUserData:                        "UserData",
	TypeMultiUserData:                   "MultiUserData",
	TypeBroadcastData:                   "BroadcastData",
	TypeJoinGroup:                       "JoinGroup",
	TypeLeaveGroup:                      "LeaveGroup",
	TypeGroupBroadcastData:              "GroupBroadcastData",
	TypeMultiGroupBroadcastData:         "MultiGroupBroadcastData",
	TypeServiceError:                    "ServiceError",
	TypeUserJoinGroup:                   "UserJoinGroup",
	TypeUserLeaveGroup:                  "UserLeaveGroup",
	TypeJoinGroupWithAck:                "JoinGroupWithAck",
	TypeLeaveGroupWithAck:               "LeaveGroupWithAck",
	TypeAck:                             "Ack",
	TypeCheckUserInGroupWithAck:         "CheckUserInGroupWithAck",
	TypeServiceEvent:                    "ServiceEvent",
	TypeCheckGroupExistenceWithAck:      "CheckGroupExistenceWithAck",
	TypeCheckConnectionExistenceWithAck: "CheckConnectionExistenceWithAck",
	TypeCheckUserExistenceWithAck:       "CheckUserExistenceWithAck",
	TypeUserJoinGroupWithAck:            "UserJoinGroupWithAck",
	TypeUserLeaveGroupWithAck:           "UserLeaveGroupWithAck",
	TypeAccessKeyRequest:                "AccessKeyRequest",
	TypeAccessKeyResponse:               "AccessKeyResponse",
	TypeCloseConnectionWithAck:          "CloseConnectionWithAck",
	TypeCloseConnectionsWithAck:         "CloseConnectionsWithAck",
	TypeCloseUserConnectionsWithAck:     "CloseUserConnectionsWithAck",
	TypeCloseGroupConnectionsWithAck:    "CloseGroupConnectionsWithAck",
	TypeClientInvocation:                "ClientInvocation",
	TypeClientCompletion:                "ClientCompletion",
	TypeErrorCompletion:                 "ErrorCompletion",
	TypeServiceMapping:                  "ServiceMapping",
	TypeConnectionReconnect:             "ConnectionReconnect",
	TypeConnectionFlowControl:           "ConnectionFlowControl",
	TypeGroupMemberQuery:                "GroupMemberQuery",
	TypeRefreshAuth:                     "RefreshAuth",
	TypeGetConnectionClaims:             "GetConnectionClaims",
	TypeUpdateConnectionClaims:          "UpdateConnectionClaims",
}

// String returns the message's name, or "Type(n)" for an unknown number. Names make a closed set, fit for a label.
func (t Type) String() string {
	if t > 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Message is a decoded message: a pointer to one of the message structs of this package.
type Message interface {
	// Type returns the message's number.
	Type() Type
	// appendBody appends the whole body.
	appendBody(dst []byte) []byte
	// decode reads the items behind the type.
	decode(d *decoder)
}

// newMessage returns an empty message of type t, or nil if the type is unknown.
func newMessage(t Type) Message {
	switch t {
	case TypeHandshakeRequest:
		return new(HandshakeRequest)
	case TypeHandshakeResponse:
		return new(HandshakeResponse)
	case TypePing:
		return new(Ping)
	case TypeOpenConnection:
		return new(OpenConnection)
	case TypeCloseConnection:
		return new(CloseConnection)
	case TypeConnectionData:
		return new(ConnectionData)
	case TypeMultiConnectionData:
		return new(MultiConnectionData)
	case TypeUserData:
		return new(UserData)
	case TypeMultiUserData:
		return new(MultiUserData)
	case TypeBroadcastData:
		return new(BroadcastData)
	case TypeJoinGroup:
		return new(JoinGroup)
	case TypeLeaveGroup:
		return new(LeaveGroup)
	case TypeGroupBroadcastData:
		return new(GroupBroadcastData)
	case TypeMultiGroupBroadcastData:
		return new(MultiGroupBroadcastData)
	case TypeServiceError:
		return new(ServiceError)
	case TypeUserJoinGroup:
		return new(UserJoinGroup)
	case TypeUserLeaveGroup:
		return new(UserLeaveGroup)
	case TypeJoinGroupWithAck:
		return new(JoinGroupWithAck)
	case TypeLeaveGroupWithAck:
		return new(LeaveGroupWithAck)
	case TypeAck:
		return new(Ack)
	case TypeCheckUserInGroupWithAck:
		return new(CheckUserInGroupWithAck)
	case TypeServiceEvent:
		return new(ServiceEvent)
	case TypeCheckGroupExistenceWithAck:
		return new(CheckGroupExistenceWithAck)
	case TypeCheckConnectionExistenceWithAck:
		return new(CheckConnectionExistenceWithAck)
	case TypeCheckUserExistenceWithAck:
		return new(CheckUserExistenceWithAck)
	case TypeUserJoinGroupWithAck:
		return new(UserJoinGroupWithAck)
	case TypeUserLeaveGroupWithAck:
		return new(UserLeaveGroupWithAck)
	case TypeAccessKeyRequest:
		return new(AccessKeyRequest)
	case TypeAccessKeyResponse:
		return new(AccessKeyResponse)
	case TypeCloseConnectionWithAck:
		return new(CloseConnectionWithAck)
	case TypeCloseConnectionsWithAck:
		return new(CloseConnectionsWithAck)
	case TypeCloseUserConnectionsWithAck:
		return new(CloseUserConnectionsWithAck)
	case TypeCloseGroupConnectionsWithAck:
		return new(CloseGroupConnectionsWithAck)
	case TypeClientInvocation:
		return new(ClientInvocation)
	case TypeClientCompletion:
		return new(ClientCompletion)
	case TypeErrorCompletion:
		return new(ErrorCompletion)
	case TypeServiceMapping:
		return new(ServiceMapping)
	case TypeConnectionReconnect:
		return new(ConnectionReconnect)
	case TypeConnectionFlowControl:
		return new(ConnectionFlowControl)
	case TypeGroupMemberQuery:
		return new(GroupMemberQuery)
	case TypeRefreshAuth:
		return new(RefreshAuth)
	case TypeGetConnectionClaims:
		return new(GetConnectionClaims)
	case TypeUpdateConnectionClaims:
		return new(UpdateConnectionClaims)
	default:
		return nil
	}
}
