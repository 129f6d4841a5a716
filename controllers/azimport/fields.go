package azimport

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// armTable knows the fields of Microsoft.SignalRService/signalR, up to 2025-01-01-preview.
var armTable = map[string]row{
	"name": passOver, "type": passOver, "id": passOver, "location": passOver, "resourcegroup": passOver,
	"etag": passOver, "systemdata": passOver, "provisioningstate": passOver, "externalip": passOver,
	"hostname": tellHost, "hostnameprefix": passOver, "publicport": passOver, "serverport": passOver,
	"version": passOver, "resources": passOver,
	// A client's certificate is asked for there and then not looked at: nothing is lost.
	"tls": passOver,

	"disableaadauth": literal(entra("true")),

	"kind":                literal(kind),
	"tags":                literal(tags),
	"sku":                 sku,
	"features":            literal(features),
	"cors":                literal(cors),
	"resourcestopped":     literal(resourceStopped),
	"disablelocalauth":    unless("false", "access keys cannot be switched off yet"),
	"publicnetworkaccess": literal(publicAccess("Disabled")),
	"regionendpointenabled": unless("Enabled",
		"an instance that serves takes clients; stop it with spec.state"),
	"networkacls":                literal(networkACLs),
	"identity":                   literal(identity),
	"upstream":                   without("upstreams are not built yet"),
	"serverless":                 literal(serverless),
	"livetraceconfiguration":     literal(switchedOn("enabled", "live trace is not built")),
	"resourcelogconfiguration":   literal(switchedOn("enabled", "edges log to their pods' standard output")),
	"applicationfirewall":        without("the application firewall is not built"),
	"routesettings":              without("routing weights are not built"),
	"privateendpointconnections": without("an instance has a Service in the cluster; see spec.exposure"),
	"sharedprivatelinkresources": without("edges reach what the cluster's network reaches"),
	"copy":                       without("a loop, which only Azure can unroll: this is one turn of it"),
	"condition":                  unless("true", "whether it is made is decided there; here, it is"),
	"zones":                      without("edges spread over zones by themselves; see spec.edge.minReplicas"),
}

// terraformTable knows the fields of azurerm_signalr_service.
var terraformTable = map[string]row{
	"name": passOver, "id": passOver, "location": passOver, "resource_group_name": passOver, "timeouts": passOver,
	"hostname": tellHost, "ip_address": passOver, "public_port": passOver, "server_port": passOver,
	"primary_access_key": passOver, "secondary_access_key": passOver, "primary_connection_string": passOver,
	"secondary_connection_string": passOver, "tls_client_cert_enabled": passOver,

	"aad_auth_enabled":              entra("false"),
	"features":                      features, // of old providers
	"tags":                          tags,
	"sku":                           block(sku),
	"cors":                          block(terraformCORS),
	"service_mode":                  func(c *conversion, f field) error { return c.setMode(text(f.value)) },
	"local_auth_enabled":            unless("true", "access keys cannot be switched off yet"),
	"public_network_access_enabled": publicAccess("false"),
	"connectivity_logs_enabled":     unless("false", "edges log to their pods' standard output"),
	"messaging_logs_enabled":        unless("false", "edges log to their pods' standard output"),
	"http_request_logs_enabled":     unless("false", "edges log to their pods' standard output"),
	"live_trace_enabled":            unless("false", "live trace is not built"),
	"live_trace":                    block(switchedOn("enabled", "live trace is not built")),
	"identity":                      block(identity),
	"upstream_endpoint":             without("upstreams are not built yet"),
	"serverless_connection_timeout_in_seconds": unless("30",
		"timeouts of serverless clients are not built yet"),
}

// passOver is for what is no setting, or holds here anyway.
func passOver(*conversion, field) error { return nil }

// without drops whatever is there.
func without(why string) row {
	return func(c *conversion, f field) error {
		c.drop(f.at, f.value, why)
		return nil
	}
}

// unless drops a value but the one that says what is the case here.
func unless(here, why string) row {
	return func(c *conversion, f field) error {
		if f.value != nil && !strings.EqualFold(fmt.Sprint(f.value), here) {
			c.drop(f.at, f.value, why)
		}
		return nil
	}
}

// literal keeps a template's expressions from a row that takes values over, and lists them as dropped.
func literal(inner row) row {
	return func(c *conversion, f field) error {
		if c.template {
			rest, unknown := known(f.at, f.value)
			for _, at := range unknown {
				c.dropped = append(c.dropped, Drop{Field: at, Why: "an expression: only Azure can work it out"})
			}
			f.value = rest
		}
		return inner(c, f)
	}
}

// block reads a block of Terraform's: a list of at most one.
func block(inner row) row {
	return func(c *conversion, f field) error {
		items, ok := f.value.([]any)
		if !ok {
			return inner(c, f)
		}
		for i, item := range items {
			if err := inner(c, field{name: f.name, at: fmt.Sprintf("%s[%d]", f.at, i), value: item}); err != nil {
				return err
			}
		}
		return nil
	}
}

// switchedOn drops what has a switch, at any depth, when the switch is on.
func switchedOn(key, why string) row {
	var read func(c *conversion, at string, value any)
	read = func(c *conversion, at string, value any) {
		switch value := value.(type) {
		case []any:
			for i, inner := range value {
				read(c, fmt.Sprintf("%s[%d]", at, i), inner)
			}
		case map[string]any:
			switch on, has := value[key]; {
			case has && strings.EqualFold(fmt.Sprint(on), "false"):
			case has && on != nil:
				c.drop(at, value, why)
			default:
				for _, inner := range slices.Sorted(maps.Keys(value)) {
					read(c, at+"."+inner, value[inner])
				}
			}
		}
	}
	return func(c *conversion, f field) error {
		read(c, f.at, f.value)
		return nil
	}
}

func kind(_ *conversion, f field) error {
	if said := text(f.value); said != "" && !strings.EqualFold(said, "SignalR") {
		return fmt.Errorf("%q is %w", said, errOtherKind)
	}
	return nil
}

func tellHost(c *conversion, f field) error {
	if host := text(f.value); host != "" {
		c.notes = append(c.notes, "clients know it as "+host+"; here, spec.exposure gives it a name outside of the cluster")
	}
	return nil
}

// entra notes that identities of the cloud do not get in here; off is how a document says that they do not there.
func entra(off string) row {
	return func(c *conversion, f field) error {
		if f.value != nil && !strings.EqualFold(fmt.Sprint(f.value), off) {
			c.notes = append(c.notes, "app servers may sign in with Microsoft Entra there; here, they need a key")
		}
		return nil
	}
}

func tags(c *conversion, f field) error {
	for _, tag := range slices.Sorted(maps.Keys(object(f.value))) {
		value, ok := object(f.value)[tag].(string)
		if !ok { // an expression, which is in the list already
			continue
		}
		if !isTagName(tag) {
			c.drop(f.at+"."+tag, value, "its name cannot be that of an annotation")
			continue
		}
		if c.instance.Annotations == nil {
			c.instance.Annotations = map[string]string{}
		}
		c.instance.Annotations[TagAnnotation(tag)] = value
	}
	return nil
}

func sku(c *conversion, f field) error {
	said := object(f.value)
	if said == nil {
		return fmt.Errorf("%v says no size: put an object with name and capacity there", f.value)
	}
	tier, err := Tier(text(said["name"]))
	if err != nil {
		return fmt.Errorf("name: %w", err)
	}
	c.instance.Spec.Tier = tier
	for _, key := range slices.Sorted(maps.Keys(said)) {
		switch value := said[key]; key {
		case "name", "tier", "size", "family": // all said by the name
		case "capacity":
			if value == nil {
				continue
			}
			units, err := whole(value)
			if err != nil {
				return fmt.Errorf("capacity: %w", err)
			}
			c.instance.Spec.Units = units
		default:
			c.drop(f.at+"."+key, value, "not known to this program")
		}
	}
	return nil
}

// whole returns a number of units, which templates also write as text.
func whole(value any) (int32, error) {
	switch value := value.(type) {
	case float64:
		if value == math.Trunc(value) && value >= 1 && value <= 1000 {
			return int32(value), nil
		}
	case string:
		if n, err := strconv.ParseInt(value, 10, 32); err == nil && n >= 1 && n <= 1000 {
			return int32(n), nil
		}
	}
	return 0, fmt.Errorf("%v is no number of units from 1 to 1000", value)
}

func (c *conversion) setMode(name string) error {
	if name == "" {
		return nil
	}
	mode, err := ServiceMode(name)
	if err != nil {
		return err
	}
	c.instance.Spec.ServiceMode = mode
	return nil
}

func features(c *conversion, f field) error {
	for i, item := range list(f.value) {
		at := fmt.Sprintf("%s[%d]", f.at, i)
		feature := object(item)
		flag, value := text(feature["flag"]), text(feature["value"])
		if on, ok := feature["value"].(bool); ok { // string(parameters('on'))
			value = strconv.FormatBool(on)
		}
		switch strings.ToLower(flag) {
		case "servicemode":
			if value == "" {
				return fmt.Errorf("[%d]: the service mode is not said, or by an expression: put it there", i)
			}
			if err := c.setMode(value); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		case "enableconnectivitylogs", "enablemessaginglogs":
			if !strings.EqualFold(value, "false") {
				c.drop(at, flag, flag+": edges log to their pods' standard output")
			}
		case "enablelivetrace":
			if !strings.EqualFold(value, "false") {
				c.drop(at, flag, flag+": live trace is not built")
			}
		default:
			c.drop(at, item, "not known to this program")
		}
		c.drop(at+".properties", feature["properties"], "not known to this program")
	}
	return nil
}

func cors(c *conversion, f field) error {
	for _, key := range slices.Sorted(maps.Keys(object(f.value))) {
		value := object(f.value)[key]
		if !strings.EqualFold(key, "allowedOrigins") {
			c.drop(f.at+"."+key, value, "not known to this program")
			continue
		}
		c.setOrigins(f.at+"."+key, value)
	}
	return nil
}

func terraformCORS(c *conversion, f field) error {
	c.setOrigins(f.at+".allowed_origins", object(f.value)["allowed_origins"])
	return nil
}

// origin is what an instance takes for one; Azure takes anything, and compares it with what browsers send.
var origin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?` +
	`(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

func (c *conversion) setOrigins(at string, value any) {
	var origins []string
	for i, item := range list(value) {
		switch said := strings.TrimSuffix(text(item), "/"); {
		case said == "" || slices.Contains(origins, said):
		case said == "*":
			c.everybody = true
		case !origin.MatchString(said):
			c.drop(fmt.Sprintf("%s[%d]", at, i), said, "no browser sends such an origin: it is scheme://host[:port]")
		default:
			origins = append(origins, said)
		}
	}
	if c.everybody {
		origins = nil // the default here
	}
	c.instance.Spec.CORS.AllowedOrigins = origins
}

func resourceStopped(c *conversion, f field) error {
	if strings.EqualFold(fmt.Sprint(f.value), "true") {
		c.instance.Spec.State = signalrv1alpha1.StateStopped
	}
	return nil
}

// publicAccess knows that an instance is in its cluster until spec.exposure says otherwise; hidden is how a document
// says that a service has no public address.
func publicAccess(hidden string) row {
	return func(c *conversion, f field) error {
		if f.value != nil && !strings.EqualFold(fmt.Sprint(f.value), hidden) {
			c.notes = append(c.notes, "it is public there; here, it is inside of the cluster until spec.exposure is set")
		}
		return nil
	}
}

func identity(c *conversion, f field) error {
	if said := text(object(f.value)["type"]); said != "" && !strings.EqualFold(said, "None") {
		settings := map[string]any{"type": said}
		for _, ids := range []string{"userAssignedIdentities", "identity_ids"} { // Azure's name and Terraform's
			settings[ids] = object(f.value)[ids]
		}
		c.drop(f.at, settings, "edges have no identity of their own yet")
	}
	return nil
}

func serverless(c *conversion, f field) error {
	defaults := map[string]string{"connectiontimeoutinseconds": "30", "keepaliveintervalinseconds": "15"}
	for _, key := range slices.Sorted(maps.Keys(object(f.value))) {
		inner := field{name: key, at: f.at + "." + key, value: object(f.value)[key]}
		err := unless(defaults[strings.ToLower(key)], "timeouts of serverless clients are not built yet")(c, inner)
		if err != nil {
			return err
		}
	}
	return nil
}

// networkACLs passes over the rules that allow everything, which every service has until somebody changes them.
func networkACLs(c *conversion, f field) error {
	const why = "the edges do not check addresses yet; see spec.networkPolicy and spec.exposure.loadBalancer.sourceRanges"
	rules := object(f.value)
	public := object(lookup(rules, "publicNetwork"))
	open := len(list(lookup(public, "deny"))) == 0
	if len(public) > 0 && strings.EqualFold(text(lookup(rules, "defaultAction")), "Deny") {
		open = open && len(list(lookup(public, "allow"))) >= 4
	}
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		switch strings.ToLower(key) {
		case "defaultaction":
			if !open && strings.EqualFold(text(rules[key]), "Deny") {
				c.drop(f.at+"."+key, rules[key], why)
			}
		case "publicnetwork":
			if !open {
				c.drop(f.at+"."+key, rules[key], why)
			}
		case "iprules":
			if !allowsAll(rules[key]) {
				c.drop(f.at+"."+key, rules[key], why)
			}
		default:
			c.drop(f.at+"."+key, rules[key], why)
		}
	}
	return nil
}

// allowsAll tells whether address rules let everybody in: they do until somebody changes them.
func allowsAll(value any) bool {
	for _, item := range list(value) {
		rule := object(item)
		everybody := slices.Contains([]string{"0.0.0.0/0", "::/0"}, text(rule["value"]))
		if !everybody || !strings.EqualFold(text(rule["action"]), "Allow") {
			return false
		}
	}
	return true
}
