package sales

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
)

// The trail masks by names, of which package customer has the list: what is masked here must be in it.
func TestTheTrailMasksWhatDocumentsMask(t *testing.T) {
	const secret = "13877775678"
	fill := func(d document) document {
		for _, x := range d.texts() {
			*x.at = secret
		}
		return d
	}
	docs := []any{
		fill(&Opportunity{}), fill(&StageMoved{}), fill(&Quote{}), fill(&Contract{Plans: make([]Plan, 1)}), fill(&Payment{}),
		&Invoice{Remark: secret, Buyer: Buyer{Address: secret, Phone: secret, Bank: secret, Account: secret}},
		amended{Reason: secret, Plans: []Plan{{Note: secret}}},
		&Lead{InvalidReason: secret, Remarks: secret},
	}
	for _, d := range docs {
		doc, err := json.Marshal(d)
		require.NoError(t, err)
		require.Contains(t, string(doc), secret)
		require.NotContains(t, string(customer.MaskJSON(doc)), secret, "%T", d)
	}
}

// Every field of a document that is called as a note or a reason is one that is masked.
func TestDocumentsMaskEveryNote(t *testing.T) {
	notes := []string{"terms", "remark", "remarks", "note", "reject_reason", "lost_reason", "end_reason", "accepted_by"}
	for _, d := range []document{&Opportunity{}, &StageMoved{}, &Quote{}, &Contract{}, &Payment{}} {
		has := map[string]bool{}
		for _, x := range d.texts() {
			has[x.name] = true
		}
		typ := reflect.TypeOf(d).Elem()
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			for _, note := range notes {
				require.True(t, name != note || has[note], "%s of %s is not masked", note, typ)
			}
		}
		require.NotEmpty(t, has)
	}
}
