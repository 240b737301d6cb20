package customer

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/openseas/crm/kernel"
)

// What lies in a pool is shown masked to every person (rules.md, While in the pool): phones, e-mails, addresses of chat and
// of houses so that they can be told apart and not used, notes not at all. This file is the one list of what is masked.

// Masked is the reason of an error about a value that was read masked and came back to be written.
const Masked kernel.Reason = "masked"

// Mark stands for a text of which nothing is shown, and for the part of one that is not.
const Mark = "***"

// The marks of JSON documents are documents themselves.
const (
	objectMark = `{"masked":true}`
	arrayMark  = `["***"]`
)

// MaskPhone shows the first 3 and the last 4 digits of a number of 11 or more, fewer of a shorter one, of which at least 4
// stay hidden. It is made from [PhoneKey]: however a number is written, its masked form is one. An extension is left out,
// and what is no phone number is the [Mark].
//
//	"138 0013 5678", "+86 138-0013-5678"     138****5678
//	"010-65529988 转 801"                     010****9988
//	"400 800 1234"                           400****234
//	"+1 (415) 555-2671"                      +141****2671
//	"95588"                                  ****8
func MaskPhone(phone string) string {
	if phone == "" {
		return ""
	}
	number, _, _ := strings.Cut(PhoneKey(phone), "x")
	digits, abroad := strings.CutPrefix(number, "+")
	if digits == "" {
		return Mark
	}
	shown := len(digits) - max(4, len(digits)-7)
	tail := (shown + 1) / 2
	masked := digits[:shown-tail] + "****" + digits[len(digits)-tail:]
	if abroad {
		masked = "+" + masked
	}
	return masked
}

// MaskEmail shows the domain and the first letter of what stands before it, unless that is all there is: l***@example.com.
func MaskEmail(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return MaskName(email)
	}
	local := MaskName(email[:at])
	if local == "" {
		local = Mark
	}
	return local + email[at:]
}

// MaskName shows the first letter of a name that means something to a machine, such as a WeChat id, unless that is all there
// is: w***.
func MaskName(name string) string {
	if name == "" {
		return ""
	}
	if r, size := utf8.DecodeRuneInString(name); size < len(name) && r != utf8.RuneError {
		return name[:size] + Mark
	}
	return Mark
}

// MaskText is the [Mark] for every text but an empty one: that there is a note is no secret.
func MaskText(text string) string {
	if text == "" {
		return ""
	}
	return Mark
}

// secret is one field that is masked: its JSON name, its masked form, and where it is.
type secret[T any] struct {
	name string
	mask func(string) string
	get  func(*T) string
	set  func(*T, string)
}

func textOf[T any](name string, mask func(string) string, at func(*T) *string) secret[T] {
	return secret[T]{name, mask, func(x *T) string { return *at(x) }, func(x *T, s string) { *at(x) = s }}
}

// documentOf is a field with a JSON document, which shows as another one.
func documentOf[T any](name, mark string, at func(*T) *json.RawMessage) secret[T] {
	mask := func(doc string) string {
		if doc == "" {
			return ""
		}
		return mark
	}
	set := func(x *T, s string) {
		if *at(x) = nil; s != "" {
			*at(x) = json.RawMessage(s)
		}
	}
	return secret[T]{name, mask, func(x *T) string { return string(*at(x)) }, set}
}

var customerSecrets = []secret[Customer]{
	textOf("remarks", MaskText, func(c *Customer) *string { return &c.Remarks }),
	textOf("lost_reason", MaskText, func(c *Customer) *string { return &c.LostReason }),
	textOf("blacklist_reason", MaskText, func(c *Customer) *string { return &c.BlacklistReason }),
	textOf("lock_reason", MaskText, func(c *Customer) *string { return &c.LockReason }),
}

var contactSecrets = []secret[Contact]{
	textOf("phone", MaskPhone, func(c *Contact) *string { return &c.Phone }),
	textOf("email", MaskEmail, func(c *Contact) *string { return &c.Email }),
	textOf("wechat", MaskName, func(c *Contact) *string { return &c.Wechat }),
	textOf("remarks", MaskText, func(c *Contact) *string { return &c.Remarks }),
	documentOf("preferences", objectMark, func(c *Contact) *json.RawMessage { return &c.Preferences }),
}

var addressSecrets = []secret[Address]{
	textOf("street", MaskText, func(a *Address) *string { return &a.Street }),
	textOf("contact_phone", MaskPhone, func(a *Address) *string { return &a.ContactPhone }),
}

var interactionSecrets = []secret[Interaction]{
	textOf("subject", MaskText, func(i *Interaction) *string { return &i.Subject }),
	textOf("content", MaskText, func(i *Interaction) *string { return &i.Content }),
	textOf("next_action", MaskText, func(i *Interaction) *string { return &i.NextAction }),
	documentOf("attachments", arrayMark, func(i *Interaction) *json.RawMessage { return &i.Attachments }),
}

var taskSecrets = []secret[Task]{
	textOf("subject", MaskText, func(t *Task) *string { return &t.Subject }),
	textOf("note", MaskText, func(t *Task) *string { return &t.Note }),
}

// Mask hides remarks and reasons, which are free text.
func (c *Customer) Mask() { hide(c, customerSecrets); c.Masked = true }

// Mask hides phone, e-mail, WeChat id, remarks and preferences.
func (c *Contact) Mask() { hide(c, contactSecrets); c.Masked = true }

// Mask hides the street and the phone. Province, city and district stay.
func (a *Address) Mask() { hide(a, addressSecrets); a.Masked = true }

// Mask hides subject, content, next action and attachments. When it was, of which kind, and who wrote it, stay.
func (i *Interaction) Mask() { hide(i, interactionSecrets); i.Masked = true }

// Mask hides subject and note. Whose task it is, until when and how it ended, stay.
func (t *Task) Mask() { hide(t, taskSecrets); t.Masked = true }

// Mask hides the note, and the reason of a lock, which no list of the tenant holds. Other reasons stay.
func (o *Operation) Mask() {
	o.Note, o.Masked = MaskText(o.Note), true
	if o.Action == Locked {
		o.Reason = MaskText(o.Reason)
	}
}

// mask hides the subject of an interaction, and the reason of a lock. Numbers of orders and names of rules stay.
func (e *Entry) mask() {
	if e.Ref.Kind == InteractionKind || e.Ref.Kind == OperationKind && e.What == string(Locked) {
		e.Subject = MaskText(e.Subject)
	}
}

func hide[T any](x *T, secrets []secret[T]) {
	for _, s := range secrets {
		s.set(x, s.mask(s.get(x)))
	}
}

// sentBack refuses masked forms where the stored value is another: a form that was filled from a masked record must not
// write its marks over what they hide.
func sentBack[T any](given, stored *T, secrets []secret[T]) error {
	for _, s := range secrets {
		if is := s.get(stored); is != "" && s.get(given) != is && s.get(given) == s.mask(is) {
			return kernel.Invalidf(s.name, Masked, "this is its masked form: open it first, or leave the field as it is stored")
		}
	}
	return nil
}

// whole refuses a record that was read masked.
func whole(masked bool) error {
	if masked {
		return kernel.Invalidf("masked", Masked, "a masked record cannot be written: open it first")
	}
	return nil
}

// veiled masks those of the records that lie in a pool, for every person; jobs of the host read them as they are.
func veiled[X interface{ veil(on bool) }](c *kernel.Call[Tx], found []X, inPool func(X) bool) []X {
	for _, x := range found {
		x.veil(!c.Rights.System && inPool(x))
	}
	return found
}

func (c *Customer) veil(on bool) {
	if c.Masked = on; on {
		c.Mask()
	}
}

func (c *Contact) veil(on bool) {
	if c.Masked = on; on {
		c.Mask()
	}
}

func (a *Address) veil(on bool) {
	if a.Masked = on; on {
		a.Mask()
	}
}

func (i *Interaction) veil(on bool) {
	if i.Masked = on; on {
		i.Mask()
	}
}

func (t *Task) veil(on bool) {
	if t.Masked = on; on {
		t.Mask()
	}
}

// Of customers the row itself tells whether they lie in a pool; of children the repository does, or their customer.
func customerInPool(c *Customer) bool       { return c.OwnerID == "" }
func contactInPool(c *Contact) bool         { return c.Masked }
func addressInPool(a *Address) bool         { return a.Masked }
func interactionInPool(i *Interaction) bool { return i.Masked }
func taskInPool(t *Task) bool               { return t.Masked }

// childOf tells it of every child of one customer.
func childOf[X any](of *Customer) func(X) bool {
	return func(X) bool { return customerInPool(of) }
}

// documentNames are texts of records that other packages have: operations, leads, quotes, contracts, payments, invoices and
// their buyers, change orders. Those of opportunities have names of this package's.
var documentNames = []string{
	"note", "invalid_reason", "terms", "remark", "reject_reason", "accepted_by", "end_reason", "amend_reason", "address", "bank", "account",
}

// secretNames is the masked form of every field above, by its JSON name.
var secretNames = func() map[string]func(string) string {
	all := map[string]func(string) string{}
	for _, name := range documentNames {
		all[name] = MaskText
	}
	addSecrets(all, customerSecrets)
	addSecrets(all, contactSecrets)
	addSecrets(all, addressSecrets)
	addSecrets(all, interactionSecrets)
	addSecrets(all, taskSecrets)
	return all
}()

func addSecrets[T any](all map[string]func(string) string, secrets []secret[T]) {
	for _, s := range secrets {
		all[s.name] = s.mask
	}
}

// MaskJSON masks, wherever they stand in a JSON document, the fields of this module that are secret, by their names: for the
// trail, whose rows hold records before and after a change. What is no JSON is the [Mark].
func MaskJSON(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return doc
	}
	var v any
	read := json.NewDecoder(bytes.NewReader(doc))
	read.UseNumber() // numbers stay as they were written
	if err := read.Decode(&v); err != nil {
		v = Mark
	}
	masked, err := json.Marshal(maskValue(v))
	if err != nil { // a decoded document: a bug, not an outcome
		panic("crm: " + err.Error())
	}
	return masked
}

func maskValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if mask := secretNames[name]; mask != nil {
				v[name] = maskSecret(mask, value)
			} else {
				v[name] = maskValue(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = maskValue(v[i])
		}
	}
	return v
}

// maskSecret is the masked form of a text, or of a document, which is never what it was.
func maskSecret(mask func(string) string, value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return mask(v)
	}
	masked := mask("{}")
	if json.Valid([]byte(masked)) {
		return json.RawMessage(masked)
	}
	return Mark
}
