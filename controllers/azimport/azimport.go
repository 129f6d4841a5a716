// Package azimport turns what Azure says of a SignalR service into SignalRInstances: the JSON of `az signalr show` and
// `az signalr list`, an ARM template, or `terraform show -json`.
//
// It is no migration: keys, host names and certificates stay where they are. Everything that a document says and that
// has no counterpart is in the list of what was dropped, by name; values are not in it, for some are secrets. What
// Azure reports without anybody having set it (ids, addresses, states) and what says what is the case here anyway is
// not dropped but passed over. Its functions are pure and may be called by several goroutines.
package azimport

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Drop is something that a document says and that the instance does not.
type Drop struct {
	// Field is where it stands in the document, as properties.upstream.templates[0].urlTemplate.
	Field string
	// Why says what to do about it, or why there is nothing to do.
	Why string
}

// Import is one instance with what was left out of it.
type Import struct {
	// Instance is what the document asks for; what is default here is left out.
	Instance *signalrv1alpha1.SignalRInstance
	// Dropped are the fields without a counterpart, ordered by field.
	Dropped []Drop
	// Notes are worth knowing and change nothing.
	Notes []string
	// Renamed is what Azure calls the service when no instance may be called so; empty otherwise.
	Renamed string
}

// Result is what a document holds.
type Result struct {
	// Imports are the instances in the order of the document.
	Imports []Import
	// Dropped are resources beside the instances: replicas, custom domains and so on.
	Dropped []Drop
}

// errNothing says that a document has no SignalR service in it.
var errNothing = errors.New("no SignalR service found: expected the JSON of `az signalr show` or `az signalr list`, " +
	"an ARM template, or `terraform show -json`")

// errOtherKind says that a service speaks something else than SignalR.
var errOtherKind = errors.New("another kind of service, not SignalR")

// Parse reads a document of any of the kinds. It fails when there is no SignalR service in it, and when something that
// an instance cannot be without is missing or cannot be understood.
func Parse(document []byte) (*Result, error) {
	var content any
	if err := json.Unmarshal(withoutComments(document), &content); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	found, dropped, err := resources(content)
	if err != nil {
		return nil, err
	}
	result := &Result{Dropped: dropped}
	for _, r := range found {
		imported, err := r.convert()
		if errors.Is(err, errOtherKind) && len(found) > 1 { // beside services that can be imported
			result.Dropped = append(result.Dropped, Drop{Field: cmp.Or(r.at, r.name), Why: err.Error()})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmp.Or(r.name, r.at), err)
		}
		result.Imports = append(result.Imports, *imported)
	}
	if len(result.Imports) == 0 {
		return nil, errNothing
	}
	return result, nil
}

// Tier returns the tier of one of Azure's sizes (Standard_S1) or names of a tier (Standard).
func Tier(sku string) (signalrv1alpha1.Tier, error) {
	switch strings.ToLower(sku) {
	case "free_f1", "free":
		return signalrv1alpha1.TierFree, nil
	case "standard_s1", "standard":
		return signalrv1alpha1.TierStandard, nil
	case "premium_p1", "premium_p2", "premium":
		return signalrv1alpha1.TierPremium, nil
	default:
		return "", fmt.Errorf("%q is not one of Free_F1, Standard_S1, Premium_P1, Premium_P2", sku)
	}
}

// ServiceMode returns the service mode of a name, in whatever case.
func ServiceMode(name string) (signalrv1alpha1.ServiceMode, error) {
	for _, mode := range []signalrv1alpha1.ServiceMode{
		signalrv1alpha1.ServiceModeDefault, signalrv1alpha1.ServiceModeServerless, signalrv1alpha1.ServiceModeClassic,
	} {
		if strings.EqualFold(name, string(mode)) {
			return mode, nil
		}
	}
	return "", fmt.Errorf("%q is not one of Default, Serverless, Classic", name)
}

// tagPrefix is how the annotations begin that hold Azure's tags.
const tagPrefix = "tags." + signalrv1alpha1.GroupName + "/"

// TagAnnotation returns the annotation that holds a tag. Not every name of a tag can be one: see
// validation.IsQualifiedName.
func TagAnnotation(tag string) string { return tagPrefix + tag }

// maxName is how long the name of an instance may be; Azure's have up to 63 characters.
const maxName = 40

// validName is what an instance may be called.
var validName = regexp.MustCompile(fmt.Sprintf(`^[a-z]([-a-z0-9]{0,%d}[a-z0-9])?$`, maxName-2))

// instanceName returns a name that an instance may bear for a service of Azure's: in lower case, and when it is too
// long, its beginning and a hash of it, for long names often differ at the end. An expression stays one.
func instanceName(name string) string {
	lower := strings.ToLower(name)
	if len(lower) <= maxName || expression.MatchString(name) {
		return lower
	}
	hash := fmt.Sprintf("-%.3x", sha256.Sum256([]byte(lower)))
	return strings.TrimRight(lower[:maxName-len(hash)], "-") + hash
}

// Rename gives an import another name.
func (i *Import) Rename(name string) { i.Instance.Name, i.Renamed = name, "" }

// Check returns an error when the instance cannot bear its name.
func (i *Import) Check() error {
	if !validName.MatchString(i.Instance.Name) {
		return fmt.Errorf("%q is no name for an instance: at most 40 lower-case letters, digits and '-', beginning with a "+
			"letter; choose another with --name", i.Instance.Name)
	}
	return nil
}

// conversion is an import under way.
type conversion struct {
	instance *signalrv1alpha1.SignalRInstance
	dropped  []Drop
	notes    []string
	template bool // values may be expressions
	// everybody tells that the document lets every origin in.
	everybody bool
}

// convert reads every field of a resource; those that no row of the table knows are dropped as unknown.
func (r resource) convert() (*Import, error) {
	c := &conversion{template: r.template, instance: &signalrv1alpha1.SignalRInstance{
		TypeMeta:   metav1.TypeMeta{APIVersion: signalrv1alpha1.SchemeGroupVersion.String(), Kind: signalrv1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: instanceName(r.name)},
	}}
	for _, f := range r.fields {
		row, known := r.table[strings.ToLower(f.name)]
		if !known {
			c.drop(f.at, f.value, "not known to this program")
			continue
		}
		if err := row(c, f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.at, err)
		}
	}
	for _, at := range r.unknown {
		c.dropped = append(c.dropped, Drop{Field: at, Why: "known only after terraform apply: import its state then"})
	}
	if len(c.instance.Spec.CORS.AllowedOrigins) == 0 && !c.everybody && c.hasDropped(originsOf) {
		c.notes = append(c.notes, "none of its allowed origins is left: any web page may connect until "+
			"spec.cors.allowedOrigins is set")
	}
	slices.SortStableFunc(c.dropped, func(a, b Drop) int { return cmp.Compare(a.Field, b.Field) })
	one := &Import{Instance: c.instance, Dropped: c.dropped, Notes: c.notes}
	if c.instance.Name != r.name {
		one.Renamed = r.name
	}
	return one, nil
}

// originsOf matches the paths of allowed origins, and of what they stand in.
var originsOf = regexp.MustCompile(`(?i)\.cors(\[0\])?(\.allowed_?origins(\[\d+\])?)?$`)

// hasDropped tells whether a field was dropped whose path matches.
func (c *conversion) hasDropped(path *regexp.Regexp) bool {
	return slices.ContainsFunc(c.dropped, func(d Drop) bool { return path.MatchString("." + d.Field) })
}

// drop lists every leaf of a value that says something.
func (c *conversion) drop(at string, value any, why string) {
	for _, leaf := range leaves(at, value) {
		c.dropped = append(c.dropped, Drop{Field: leaf, Why: why})
	}
}

// leaves returns the paths of what a value holds, without nulls and empty lists, texts and objects.
func leaves(at string, value any) []string {
	var paths []string
	switch value := value.(type) {
	case nil:
	case string:
		if value != "" {
			paths = append(paths, at)
		}
	case map[string]any:
		for key, inner := range value {
			paths = append(paths, leaves(at+"."+key, inner)...)
		}
		slices.Sort(paths)
	case []any:
		for i, inner := range value {
			paths = append(paths, leaves(fmt.Sprintf("%s[%d]", at, i), inner)...)
		}
	default:
		paths = append(paths, at)
	}
	return paths
}

// isTagName tells whether a tag can be an annotation.
func isTagName(tag string) bool { return len(validation.IsQualifiedName(TagAnnotation(tag))) == 0 }
