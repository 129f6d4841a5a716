package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func TestEffectiveMessagePolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tier signalrv1alpha1.Tier
		set  signalrv1alpha1.MessagePolicy
		want signalrv1alpha1.MessagePolicy
	}{
		"Standard is soft":         {signalrv1alpha1.TierStandard, "", signalrv1alpha1.MessagePolicySoft},
		"Premium is soft":          {signalrv1alpha1.TierPremium, "", signalrv1alpha1.MessagePolicySoft},
		"Free is hard":             {signalrv1alpha1.TierFree, "", signalrv1alpha1.MessagePolicyHard},
		"what is set counts":       {signalrv1alpha1.TierStandard, "Hard", signalrv1alpha1.MessagePolicyHard},
		"what is set, soft":        {signalrv1alpha1.TierPremium, "Soft", signalrv1alpha1.MessagePolicySoft},
		"what is set in tier Free": {signalrv1alpha1.TierFree, "Hard", signalrv1alpha1.MessagePolicyHard},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := signalrv1alpha1.SignalRInstanceSpec{
				Tier: tt.tier, Limits: signalrv1alpha1.LimitsSpec{MessagePolicy: tt.set},
			}
			if got := spec.EffectiveMessagePolicy(); got != tt.want {
				t.Errorf("want %s, got %s", tt.want, got)
			}
		})
	}
}

func TestMaxUnits(t *testing.T) {
	t.Parallel()
	got := map[signalrv1alpha1.Tier]int32{}
	for _, tier := range []signalrv1alpha1.Tier{"Free", "Standard", "Premium", "Basic"} {
		got[tier] = tier.MaxUnits()
	}
	want := map[signalrv1alpha1.Tier]int32{"Free": 1, "Standard": 100, "Premium": 1000, "Basic": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSchemeKnowsTheKinds(t *testing.T) {
	t.Parallel()
	s := runtime.NewScheme()
	if err := signalrv1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{signalrv1alpha1.Kind, signalrv1alpha1.Kind + "List"} {
		if !s.Recognizes(signalrv1alpha1.SchemeGroupVersion.WithKind(kind)) {
			t.Errorf("%s is unknown", kind)
		}
	}
}

// The comment of a condition type lists its reasons: each must be a constant, and each constant must be listed.
func TestReasonsAreThoseThatConditionsList(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var listed, declared []string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			name := v.Names[0].Name
			switch value, isReason := strings.CutPrefix(name, "Reason"); {
			case isReason:
				declared = append(declared, value)
				if got := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`); got != value {
					t.Errorf("%s: want the value %s, got %s", name, value, got)
				}
			default:
				listed = append(listed, reasons(v.Doc.Text())...)
			}
		}
	}
	slices.Sort(listed)
	slices.Sort(declared)
	if diff := cmp.Diff(slices.Compact(listed), declared); diff != "" {
		t.Errorf("reasons (-listed +declared):\n%s", diff)
	}
}

// reasons returns what the last paragraph of a comment lists, as "When True: A, B. When False: C.".
func reasons(doc string) []string {
	_, list, _ := strings.Cut(doc, "Reasons ")
	var out []string
	for sentence := range strings.SplitSeq(strings.Join(strings.Fields(list), " "), ".") {
		_, names, _ := strings.Cut(sentence, ": ")
		for name := range strings.SplitSeq(names, ", ") {
			if name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}
