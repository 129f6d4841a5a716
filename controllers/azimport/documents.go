package azimport

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// field is one thing that a resource says: its name, its place in the document, its value.
type field struct {
	name, at string
	value    any
}

// row reads one field into an instance.
type row func(c *conversion, f field) error

// resource is a SignalR service as a document has it.
type resource struct {
	// at is its place in the document, name what Azure calls it.
	at, name string
	fields   []field
	// table knows the fields by their names in lower case: Azure's tools do not agree on the case.
	table map[string]row
	// template tells that values may be expressions, which only Azure can work out.
	template bool
	// unknown are the places of settings that a plan of Terraform's does not know yet.
	unknown []string
}

// Azure's and Terraform's names of the kinds.
const (
	armType       = "microsoft.signalrservice/signalr"
	terraformType = "azurerm_signalr_service"
	// terraformKind is how the names of all kinds begin that belong to a service.
	terraformKind = "azurerm_signalr_"
	// azapiType is Terraform's way to resources in the words of the REST API.
	azapiType = "azapi_resource"
	// nestedType is a template inside of a template, such as a module of Bicep's.
	nestedType = "microsoft.resources/deployments"
)

// resources finds the services in a document of any kind, and lists what else of SignalR is in it.
func resources(content any) (found []resource, dropped []Drop, err error) {
	switch content := content.(type) {
	case []any: // az signalr list
		for i, item := range content {
			one, more, err := resources(item)
			if err != nil {
				return nil, nil, fmt.Errorf("[%d]: %w", i, err)
			}
			found, dropped = append(found, one...), append(dropped, more...)
		}
		return found, dropped, nil
	case map[string]any:
		switch {
		case content["format_version"] != nil: // terraform show -json
			return terraform(content)
		case content["resources"] != nil && content["$schema"] != nil:
			found, dropped = template("", content, valuesOf(content, nil))
			return found, dropped, nil
		case isType(content["type"], armType) || content["sku"] != nil && content["features"] != nil:
			return []resource{armResource("", content)}, nil, nil
		case content["value"] != nil: // what the REST API lists
			return resources(content["value"])
		}
	}
	return nil, nil, errNothing
}

// byteOrderMark begins the templates that Visual Studio writes.
const byteOrderMark = "\xef\xbb\xbf"

// withoutComments returns a document with spaces in place of comments, which templates may have: // to the end of the
// line, and /* */.
func withoutComments(document []byte) []byte {
	out := bytes.Clone(bytes.TrimPrefix(document, []byte(byteOrderMark)))
	for i := 0; i < len(out); {
		end := i + 1
		rest := out[i:]
		switch {
		case rest[0] == '"':
			for end < len(out) && out[end] != '"' {
				if out[end] == '\\' {
					end++
				}
				end++
			}
			i = end + 1
			continue
		case bytes.HasPrefix(rest, []byte("//")):
			end = i + upTo(rest, "\n")
		case bytes.HasPrefix(rest, []byte("/*")):
			end = i + upTo(rest[2:], "*/") + 2
		default:
			i++
			continue
		}
		copy(out[i:end], bytes.Repeat([]byte(" "), end-i))
		i = end
	}
	return out
}

// upTo returns how long a text is up to an end, with it.
func upTo(text []byte, end string) int {
	if at := bytes.Index(text, []byte(end)); at >= 0 {
		return at + len(end)
	}
	return len(text)
}

func isType(value any, want string) bool {
	text, ok := value.(string)
	return ok && strings.EqualFold(text, want)
}

// armResource reads a resource as the REST API and templates have it (with properties) or as az shows it (flat).
func armResource(at string, content map[string]any) resource {
	r := resource{at: at, name: text(content["name"]), table: armTable}
	prefix := ""
	if at != "" {
		prefix = at + "."
	}
	for _, key := range slices.Sorted(maps.Keys(content)) {
		properties, ok := content[key].(map[string]any)
		if key != "properties" || !ok {
			r.fields = append(r.fields, field{name: key, at: prefix + key, value: content[key]})
			continue
		}
		for _, inner := range slices.Sorted(maps.Keys(properties)) {
			r.fields = append(r.fields, field{name: inner, at: prefix + "properties." + inner, value: properties[inner]})
		}
	}
	return r
}

// template finds the services in an ARM template, and in the templates inside of it.
func template(at string, content map[string]any, t templateValues) (found []resource, dropped []Drop) {
	each := func(at string, item any) {
		entry := object(item)
		kind := text(entry["type"])
		switch {
		case entry["existing"] == true: // named here, made elsewhere
		case strings.EqualFold(kind, armType):
			service, children := t.service(at, entry)
			found, dropped = append(found, service), append(dropped, children...)
		case strings.EqualFold(kind, nestedType):
			inner, more := t.nested(at+".properties", object(entry["properties"]))
			found, dropped = append(found, inner...), append(dropped, more...)
		case strings.HasPrefix(strings.ToLower(kind), armType+"/") || isAutoscale(kind):
			dropped = append(dropped, Drop{Field: at, Why: whyResource(kind)})
		}
	}
	at = strings.TrimPrefix(at+".resources", ".")
	switch items := content["resources"].(type) {
	case []any:
		for i, item := range items {
			each(fmt.Sprintf("%s[%d]", at, i), item)
		}
	case map[string]any: // languageVersion 2.0, as newer compilers of Bicep write
		for _, key := range slices.Sorted(maps.Keys(items)) {
			each(at+"."+key, items[key])
		}
	}
	return found, dropped
}

// nested finds the services in a template inside of a template.
func (t templateValues) nested(at string, deployment map[string]any) (found []resource, dropped []Drop) {
	if deployment["templateLink"] != nil {
		dropped = append(dropped, Drop{Field: at + ".templateLink", Why: "another file: import that one too"})
	}
	content := object(deployment["template"])
	if strings.EqualFold(text(object(deployment["expressionEvaluationOptions"])["scope"]), "inner") {
		handedDown, _ := t.resolve(object(deployment["parameters"])).(map[string]any)
		t = valuesOf(content, handedDown)
	}
	found, more := template(at+".template", content, t)
	return found, append(dropped, more...)
}

// service reads a service of a template, and lists what belongs to it.
func (t templateValues) service(at string, entry map[string]any) (found resource, dropped []Drop) {
	resolved, _ := t.resolve(entry).(map[string]any)
	for _, f := range []string{"apiVersion", "dependsOn", "comments", "scope"} {
		delete(resolved, f) // the template's, not the service's
	}
	for i, child := range list(resolved["resources"]) {
		inner := fmt.Sprintf("%s.resources[%d]", at, i)
		dropped = append(dropped, Drop{Field: inner, Why: whyResource(text(object(child)["type"]))})
	}
	found = armResource(at, resolved)
	found.template = true
	return found, dropped
}

// isAutoscale tells whether a resource scales something: it may be the service.
func isAutoscale(kind string) bool { return strings.Contains(strings.ToLower(kind), "autoscale") }

// whyResource says why a resource beside the services is dropped.
func whyResource(kind string) string {
	lower := strings.ToLower(kind)
	for _, known := range []struct{ part, why string }{
		{"replica", "run an instance in the other cluster and give app servers both endpoints"},
		{"customdomain", "set spec.exposure.hostName and additionalHostNames"},
		{"custom_domain", "set spec.exposure.hostName and additionalHostNames"},
		{"customcertificate", "set spec.exposure.tls"},
		{"custom_certificate", "set spec.exposure.tls"},
		{"sharedprivatelink", "edges reach what the cluster's network reaches"},
		{"shared_private_link", "edges reach what the cluster's network reaches"},
		{"network_acl", "the edges do not check addresses yet"},
		{"autoscale", "if it scales the service, set spec.autoscale"},
	} {
		if strings.Contains(lower, known.part) {
			return kind + ": " + known.why
		}
	}
	return kind + ": not known to this program"
}

// templateValues are what expressions of a template may name.
type templateValues struct {
	parameters, variables map[string]any
	// depth is how many values have named the next one.
	depth int
}

// maxDepth is how many values may name one another; those that go round in a circle stay expressions.
const maxDepth = 8

// valuesOf returns the values of a template, which the one around it may have handed down.
func valuesOf(content, handedDown map[string]any) templateValues {
	t := templateValues{parameters: map[string]any{}, variables: object(content["variables"])}
	maps.Copy(t.parameters, object(content["parameters"]))
	for name, value := range handedDown {
		t.parameters[name] = map[string]any{"defaultValue": object(value)["value"]}
	}
	return t
}

var (
	// reference matches the only expressions that are understood: one parameter or one variable, as it is or as another
	// type, which whoever reads it allows for.
	reference = regexp.MustCompile(`^\[(?:(?:string|int|bool)\()?(parameters|variables)\('([^']+)'\)\)?\]$`)
	// expression matches all of them; "[[" begins a text that begins with a bracket.
	expression = regexp.MustCompile(`(?s)^\[[^\[].*\]$`)
)

// known takes out of a value what only Azure can work out, and returns where that stands.
func known(at string, value any) (rest any, unknown []string) {
	switch value := value.(type) {
	case string:
		if expression.MatchString(value) {
			return nil, []string{at}
		}
	case map[string]any:
		out := make(map[string]any, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			inner, more := known(at+"."+key, value[key])
			out[key], unknown = inner, append(unknown, more...)
		}
		return out, unknown
	case []any:
		out := make([]any, 0, len(value))
		for i, item := range value {
			inner, more := known(fmt.Sprintf("%s[%d]", at, i), item)
			out, unknown = append(out, inner), append(unknown, more...)
		}
		return out, unknown
	}
	return value, nil
}

// resolve puts default values of parameters and values of variables into a value, at any depth. Other expressions stay
// as they are; who reads them says what is missing.
func (t templateValues) resolve(value any) any {
	switch value := value.(type) {
	case string:
		m := reference.FindStringSubmatch(value)
		if m == nil || t.depth == maxDepth {
			return value
		}
		var found any
		if m[1] == "parameters" {
			found = object(lookup(t.parameters, m[2]))["defaultValue"]
		} else {
			found = lookup(t.variables, m[2])
		}
		if found == nil || found == any(value) {
			return value
		}
		t.depth++
		return t.resolve(found)
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, inner := range value {
			out[key] = t.resolve(inner)
		}
		return out
	case []any:
		out := make([]any, 0, len(value))
		for _, inner := range value {
			out = append(out, t.resolve(inner))
		}
		return out
	default:
		return value
	}
}

// lookup finds a name in whatever case, as templates do.
func lookup(values map[string]any, name string) any {
	for key, value := range values {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

// terraform finds the services in a state or a plan.
func terraform(content map[string]any) (found []resource, dropped []Drop, err error) {
	values := object(content["planned_values"])
	if len(values) == 0 {
		values = object(content["values"])
	}
	unknown := map[string]any{} // by address: what a plan leaves out of its values
	for _, item := range list(content["resource_changes"]) {
		unknown[text(object(item)["address"])] = object(object(item)["change"])["after_unknown"]
	}
	var walk func(module map[string]any)
	walk = func(module map[string]any) {
		for _, item := range list(module["resources"]) {
			entry := object(item)
			kind, address := text(entry["type"]), text(entry["address"])
			switch {
			case text(entry["mode"]) == "data":
			case kind == terraformType:
				service := terraformResource(address, object(entry["values"]))
				service.unknown = undecided(address, unknown[address])
				found = append(found, service)
			case kind == azapiType && strings.HasPrefix(strings.ToLower(text(object(entry["values"])["type"])), armType):
				dropped = append(dropped, Drop{Field: address, Why: kind + ": import what `az signalr show` says of it"})
			case strings.HasPrefix(kind, terraformKind) || isAutoscale(kind):
				dropped = append(dropped, Drop{Field: address, Why: whyResource(kind)})
			}
		}
		for _, child := range list(module["child_modules"]) {
			walk(object(child))
		}
	}
	walk(object(values["root_module"]))
	return found, dropped, nil
}

func terraformResource(at string, values map[string]any) resource {
	r := resource{at: at, name: text(values["name"]), table: terraformTable}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		r.fields = append(r.fields, field{name: key, at: at + "." + key, value: values[key]})
	}
	return r
}

// computed are the ends of what Azure decides: nobody sets it, so a plan that does not know it loses nothing.
var computed = []string{
	".id", ".location", ".resource_group_name", ".hostname", ".ip_address", ".public_port", ".server_port",
	".primary_access_key", ".secondary_access_key", ".primary_connection_string", ".secondary_connection_string",
	".principal_id", ".tenant_id",
}

// undecided returns the paths of settings which are true in what a plan says of values it does not know.
func undecided(at string, value any) []string {
	var paths []string
	switch value := value.(type) {
	case bool:
		if value && !slices.ContainsFunc(computed, func(end string) bool { return strings.HasSuffix(at, end) }) {
			paths = append(paths, at)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			paths = append(paths, undecided(at+"."+key, value[key])...)
		}
	case []any:
		for i, inner := range value {
			paths = append(paths, undecided(fmt.Sprintf("%s[%d]", at, i), inner)...)
		}
	}
	return paths
}

func object(value any) map[string]any {
	content, _ := value.(map[string]any)
	return content
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}

func text(value any) string {
	said, _ := value.(string)
	return said
}
