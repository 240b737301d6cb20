package customer

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func TestMaskPhone(t *testing.T) {
	for phone, want := range map[string]string{
		"":                        "",
		"13800135678":             "138****5678",
		"138 0013 5678":           "138****5678",
		"+86 138-0013-5678":       "138****5678",
		"0086 138 0013 5678":      "138****5678",
		"１３８００１３５６７８":             "138****5678",
		"010-65529988 转 801":      "010****9988",
		"(0755) 8655 9988":        "075****9988", // 12 digits: five are hidden
		"400 800 1234":            "400****234",
		"+1 (415) 555-2671":       "+141****2671",
		"+44 20 7946 0958":        "+442****0958",
		"123456789012345":         "123****2345", // the longest: eight are hidden
		"12345":                   "****5",       // the shortest
		"123456":                  "1****6",
		"1234567":                 "1****67",
		"12345678":                "12****78",
		"123456789":               "12****789",
		"1234567890":              "123****890",
		"12345678901":             "123****8901",
		"1234":                    Mark,
		"no phone":                Mark,
		"138****5678":             Mark,
		"王":                       Mark,
		"13800135678 or 65529988": Mark,
	} {
		require.Equal(t, want, MaskPhone(phone), phone)
	}
}

// However long the number, at least four of its digits are hidden, and what is shown is not a number.
func TestMaskPhoneHidesFourDigitsAtLeast(t *testing.T) {
	for n := 5; n <= 15; n++ {
		number := "912345678901234"[:n]
		shown := strings.ReplaceAll(MaskPhone(number), "*", "")
		require.LessOrEqual(t, len(shown), n-4, number)
		require.LessOrEqual(t, len(shown), 7, number)
		require.Empty(t, PhoneKey(MaskPhone(number)))
		require.Error(t, checkPhone("phone", MaskPhone(number)))
	}
}

func TestMaskEmail(t *testing.T) {
	for email, want := range map[string]string{
		"":                   "",
		"li@example.com":     "l***@example.com",
		"l@example.com":      "***@example.com",
		"li.ming@a.b.cn":     "l***@a.b.cn",
		"李明@例子.公司":           "李***@例子.公司",
		"李@例子.公司":            "***@例子.公司",
		"😀x@example.com":     "😀***@example.com",
		"@example.com":       "***@example.com",
		"no address":         "n***",
		"a@b@example.com":    "a***@example.com",
		"\xffli@example.com": "***@example.com",
	} {
		require.Equal(t, want, MaskEmail(email), email)
		if want != "" {
			err := checkEmail(want)
			require.ErrorIs(t, err, Masked, want)
		}
	}
}

func TestMaskNamesAndTexts(t *testing.T) {
	for name, want := range map[string]string{"": "", "w": Mark, "wxid_1": "w***", "王": Mark, "王小明": "王***", "\xff\xfe": Mark, "13800135678": "1***"} {
		require.Equal(t, want, MaskName(name), name)
	}
	for text, want := range map[string]string{"": "", "x": Mark, "***": Mark, "他的电话 13800135678\n下周再打": Mark, " ": Mark} {
		require.Equal(t, want, MaskText(text), text)
	}
}

// secretText stands where secrets are: a phone or an address of mail where the form demands it.
const secretText = "秘密 secret"

var (
	secretCustomer = Customer{
		ID: 1, Name: "x", Remarks: secretText, LostReason: secretText, BlacklistReason: secretText, Ownership: Ownership{LockReason: secretText},
	}
	secretContact = Contact{
		ID: 2, CustomerID: 1, FullName: "王", Phone: "138 0013 5678", Email: "secret@example.com", Wechat: "wsecret", Remarks: secretText,
		Preferences: json.RawMessage(`{"secret":["138 0013 5678"]}`),
	}
	secretAddress = Address{
		ID: 3, CustomerID: 1, Type: Office, Province: "上海", City: "上海", Street: secretText, ContactPhone: "138 0013 5678",
	}
	secretInteraction = Interaction{
		ID: 4, CustomerID: 1, Type: Call, Direction: Outbound, Subject: secretText, Content: secretText, NextAction: secretText,
		Attachments: json.RawMessage(`["secret.pdf"]`), At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Staff: "li",
	}
)

var secretTask = Task{
	ID: 5, CustomerID: 1, Subject: secretText, Note: secretText, OwnerID: "li", DueAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), State: TaskOpen,
}

func requireNoSecret(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	for _, secret := range []string{"secret", "秘密", "0013", "5678 ", "\\u79d8"} {
		require.NotContains(t, string(text), secret)
	}
	return text
}

// What Mask does to a record MaskJSON does to its JSON, so that the trail shows what reads show.
func TestMaskAndMaskJSONAgree(t *testing.T) {
	c, k, a, i, j := secretCustomer, secretContact, secretAddress, secretInteraction, secretTask
	for _, x := range []struct {
		whole any
		mask  func()
		shown any
	}{{secretTask, j.Mask, &j}, {secretCustomer, c.Mask, &c}, {secretContact, k.Mask, &k}, {secretAddress, a.Mask, &a}, {secretInteraction, i.Mask, &i}} {
		whole, err := json.Marshal(x.whole)
		require.NoError(t, err)
		require.Contains(t, string(whole), "secret")
		x.mask()
		require.True(t, reflect.ValueOf(x.shown).Elem().FieldByName("Masked").Bool())
		text := requireNoSecret(t, x.shown)
		text = []byte(strings.Replace(string(text), `,"masked":true}`, "}", 1)) // the flag
		require.JSONEq(t, string(text), string(MaskJSON(whole)))
	}
}

func TestMaskJSON(t *testing.T) {
	for doc, want := range map[string]string{
		``:                                      ``,
		`null`:                                  `null`,
		`{"phone":null,"email":""}`:             `{"phone":null,"email":""}`,
		`{"phone":13800135678}`:                 `{"phone":"***"}`,
		`{"remarks":{"a":"secret"}}`:            `{"remarks":"***"}`,
		`{"preferences":{"a":"secret"}}`:        `{"preferences":{"masked":true}}`,
		`{"preferences":null}`:                  `{"preferences":null}`,
		`{"attachments":["secret"]}`:            `{"attachments":["***"]}`,
		`[{"a":{"phone":"13800135678"}}, 1.50]`: `[{"a":{"phone":"138****5678"}},1.50]`,
		`{"seq":9007199254740993,"name":"王"}`:   `{"name":"王","seq":9007199254740993}`,
		`{"note":"secret","reason":"no money"}`: `{"note":"***","reason":"no money"}`,
		`{`:                                     `"***"`,
	} {
		require.Equal(t, want == "", len(MaskJSON(json.RawMessage(doc))) == 0)
		if want != "" {
			require.JSONEq(t, want, string(MaskJSON(json.RawMessage(doc))), doc)
		}
	}
	require.Contains(t, string(MaskJSON(json.RawMessage(`{"seq":9007199254740993}`))), "9007199254740993", "to the last digit")
}

// Every text of a record is either masked or known to be no phone, e-mail or note: a new field must be put in one of the lists.
func TestEveryTextIsMaskedOrKnownToBePublic(t *testing.T) {
	public := strings.Fields(`id code name type level standing stage industry size credit_rating source region province city district
		acquired_on service_agent brand external_system external_id owner_id last_owner created_by updated_by
		full_name last_name first_name title birthday preferred postal_code contact_name
		direction outcome staff session_tag state reason closed_by`)
	known := map[string]bool{}
	for _, name := range public {
		known[name] = true
	}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if f.Anonymous {
				walk(f.Type)
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Type.Kind() == reflect.String || f.Type == reflect.TypeFor[json.RawMessage]() {
				require.NotEqual(t, known[name], secretNames[name] != nil, "%s.%s", typ, name)
			}
		}
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Customer](), reflect.TypeFor[Contact](), reflect.TypeFor[Address](), reflect.TypeFor[Interaction](), reflect.TypeFor[Task](),
	} {
		walk(typ)
	}
}

func TestMaskedRecordsCannotBeWritten(t *testing.T) {
	c, k, a, i, j := secretCustomer, secretContact, secretAddress, secretInteraction, secretTask
	c.Mask()
	k.Mask()
	a.Mask()
	i.Mask()
	j.Mask()
	_, err1 := c.draft()
	_, err2 := k.draft()
	_, err3 := a.draft()
	_, err4 := i.draft()
	_, err5 := j.draft()
	for _, err := range []error{err1, err2, err3, err4, err5} {
		require.ErrorIs(t, err, Masked)
	}
	// Nor without the flag, which a form may have lost: field by field.
	requireSentBack(t, secretCustomer, customerSecrets)
	requireSentBack(t, secretContact, contactSecrets)
	requireSentBack(t, secretAddress, addressSecrets)
	requireSentBack(t, secretInteraction, interactionSecrets)
	requireSentBack(t, secretTask, taskSecrets)
}

func requireSentBack[T any](t *testing.T, stored T, secrets []secret[T]) {
	t.Helper()
	require.NoError(t, sentBack(&stored, &stored, secrets))
	for _, s := range secrets {
		given := stored
		s.set(&given, s.mask(s.get(&stored)))
		err := sentBack(&given, &stored, secrets)
		require.ErrorIs(t, err, Masked, s.name)
		e := err.(*kernel.Error) //nolint:errorlint // a test of the very error
		require.Equal(t, s.name, e.Field)
		s.set(&given, "") // erased: that is meant
		require.NoError(t, sentBack(&given, &stored, secrets), s.name)
		require.NoError(t, sentBack(&stored, &stored, secrets))
		marked := stored // who really has written the mark may keep it
		s.set(&marked, s.mask(s.get(&stored)))
		require.NoError(t, sentBack(&marked, &marked, secrets), s.name)
	}
}

func TestMaskOfOperationsAndEntries(t *testing.T) {
	o := Operation{Action: Released, Reason: "no budget", Note: secretText}
	o.Mask()
	require.Equal(t, Operation{Action: Released, Reason: "no budget", Note: Mark, Masked: true}, o)
	o = Operation{Action: Locked, Reason: secretText, Note: "until 2026-03-09T16:30:00Z"}
	o.Mask()
	require.Equal(t, Operation{Action: Locked, Reason: Mark, Note: Mark, Masked: true}, o)
	for what, want := range map[Entry]string{
		{Ref: kernel.Ref{Kind: InteractionKind}, What: "call", Subject: "x"}:   Mark,
		{Ref: kernel.Ref{Kind: OperationKind}, What: "lock", Subject: "x"}:     Mark,
		{Ref: kernel.Ref{Kind: OperationKind}, What: "release", Subject: "x"}:  "x",
		{Ref: kernel.Ref{Kind: OrderKind}, What: "completed", Subject: "SO-1"}: "SO-1",
		{Ref: kernel.Ref{Kind: InteractionKind}, What: "call"}:                 "",
	} {
		e := what
		e.mask()
		require.Equal(t, want, e.Subject)
	}
}
