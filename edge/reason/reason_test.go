package reason_test

import (
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range reason.All() {
		t.Run(row.Name, func(t *testing.T) {
			if row.Name == "" || row.Description == "" {
				t.Fatalf("row %d has no name or no description: %+v", row.Reason, row)
			}
			if seen[row.Name] {
				t.Errorf("name %q stands twice", row.Name)
			}
			seen[row.Name] = true
			if strings.ToLower(row.Name) != row.Name || strings.ContainsAny(row.Name, " _") {
				t.Errorf("name %q: want lower case with dashes", row.Name)
			}
			if (row.Kind == reason.KindRefuse) != (row.Status != 0) {
				t.Errorf("kind %v with status %d: exactly the refusals have one", row.Kind, row.Status)
			}
			if row.Kind == reason.KindRefuse && row.Text == "" {
				t.Error("a refusal needs a text")
			}
			if row.Kind == reason.KindClose && row.Category == "" {
				t.Error("a close needs a vendor category")
			}
			if row.Reason.String() != row.Name || row.Reason.Info().Name != row.Name {
				t.Errorf("row is not found under its own reason")
			}
		})
	}
}
