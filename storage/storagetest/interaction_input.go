package storagetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

func interactionInput(t *testing.T, b *bundle) {
	id := b.create(1, "li")[0]
	deep := json.RawMessage(strings.Repeat("[", 33) + strings.Repeat("]", 33))
	type input struct {
		change func(x *customer.Interaction)
		field  string
		reason kernel.Reason
	}
	bad := map[string]input{
		"no type":                {func(x *customer.Interaction) { x.Type = "" }, "type", kernel.Empty},
		"unknown type":           {func(x *customer.Interaction) { x.Type = "fax" }, "type", kernel.Unknown},
		"unknown direction":      {func(x *customer.Interaction) { x.Direction = "up" }, "direction", kernel.Unknown},
		"unknown outcome":        {func(x *customer.Interaction) { x.Outcome = "great" }, "outcome", kernel.Unknown},
		"no subject":             {func(x *customer.Interaction) { x.Subject = "" }, "subject", kernel.Empty},
		"over-long subject":      {func(x *customer.Interaction) { x.Subject = strings.Repeat("蓝", 201) }, "subject", kernel.TooLong},
		"over-long content":      {func(x *customer.Interaction) { x.Content = strings.Repeat("x", 20_001) }, "content", kernel.TooLong},
		"negative minutes":       {func(x *customer.Interaction) { x.Minutes = -1 }, "minutes", kernel.OutOfRange},
		"more than a week":       {func(x *customer.Interaction) { x.Minutes = 10_081 }, "minutes", kernel.OutOfRange},
		"the year 1":             {func(x *customer.Interaction) { x.At = time.Time{}.Add(time.Hour) }, "at", kernel.OutOfRange},
		"due in the year 9999":   {func(x *customer.Interaction) { x.NextActionAt = start.AddDate(7973, 0, 0) }, "next_action_at", kernel.OutOfRange},
		"over-long next action":  {func(x *customer.Interaction) { x.NextAction = strings.Repeat("x", 201) }, "next_action", kernel.TooLong},
		"over-long tag":          {func(x *customer.Interaction) { x.SessionTag = strings.Repeat("x", 51) }, "session_tag", kernel.TooLong},
		"over-long staff":        {func(x *customer.Interaction) { x.Staff = kernel.UserID(strings.Repeat("x", 201)) }, "staff", kernel.TooLong},
		"bad staff":              {func(x *customer.Interaction) { x.Staff = "li\x00" }, "staff", kernel.BadText},
		"the system as staff":    {func(x *customer.Interaction) { x.Staff = kernel.SystemUser }, "staff", kernel.Unknown},
		"attachments as object":  {func(x *customer.Interaction) { x.Attachments = json.RawMessage("{}") }, "attachments", kernel.Malformed},
		"attachments too deep":   {func(x *customer.Interaction) { x.Attachments = deep }, "attachments", kernel.Malformed},
		"attachments with NUL":   {func(x *customer.Interaction) { x.Attachments = json.RawMessage("[\"\x00\"]") }, "attachments", kernel.BadText},
		"other as a follow-up":   {func(x *customer.Interaction) { x.Type, x.Followup = customer.Other, true }, "followup", kernel.Malformed},
		"a machine's follow-up":  {func(x *customer.Interaction) { x.Automatic, x.Followup = true, true }, "followup", kernel.Malformed},
		"no customer":            {func(x *customer.Interaction) { x.CustomerID = 0 }, "customer_id", kernel.Empty},
		"a contact below 0":      {func(x *customer.Interaction) { x.ContactID = -1 }, "contact_id", kernel.Unknown},
		"content with a control": {func(x *customer.Interaction) { x.Content = "a\x07" }, "content", kernel.BadText},
	}
	for what, text := range badTexts {
		bad["subject with "+what] = input{func(x *customer.Interaction) { x.Subject = text }, "subject", kernel.BadText}
	}
	for name, c := range bad {
		t.Run(name+" is refused, and nothing is written", func(t *testing.T) {
			x := &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "a"}
			c.change(x)
			requireError(t, b.Customers.Interactions.Add(t.Context(), li, x), crm.ErrInvalid, c.reason, c.field)
		})
	}
	requireError(t, b.Customers.Interactions.Add(t.Context(), li, nil), crm.ErrInvalid, kernel.Empty, "interaction")
	// a follow-up is a person's: a job says whose
	requireError(t, b.Customers.Interactions.Add(t.Context(), boss, met(id, time.Time{})), crm.ErrInvalid, kernel.Empty, "staff")
	require.Zero(t, b.count("SELECT count(*) FROM crm_interactions"))
	note := &customer.Interaction{CustomerID: id, Type: customer.Email, Subject: "delivered", Automatic: true}
	require.NoError(t, b.Customers.Interactions.Add(t.Context(), boss, note))
	require.Equal(t, kernel.SystemUser, note.Staff)
	b.requireClocks(id, -1, -1)
	b.agree()
}
