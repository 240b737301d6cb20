package customer

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/openseas/crm/kernel"
)

// ContactID is a contact's number.
type ContactID int64

// ContactKind is how references name contacts.
const ContactKind = "contact"

// Channel is how a contact wishes to be spoken to.
type Channel string

// The channels.
const (
	ByPhone  Channel = "phone"
	BySMS    Channel = "sms"
	ByEmail  Channel = "email"
	ByWeChat Channel = "wechat"
)

// Contact is a person at a customer (mission.md, C2). FullName or one of the name parts is needed; an empty FullName is
// made of the parts: 王 and 小明 are 王小明, Smith and John are John Smith. A customer has one contact per phone number (by
// [PhoneKey]) and one primary contact at most; deleted contacts stand in nobody's way. Lengths are in characters.
type Contact struct {
	ID            ContactID       `json:"id"`
	CustomerID    ID              `json:"customer_id"`
	FullName      string          `json:"full_name"`             // at most 100; made of the parts when empty
	LastName      string          `json:"last_name,omitempty"`   // at most 50
	FirstName     string          `json:"first_name,omitempty"`  // at most 50
	Title         string          `json:"title,omitempty"`       // at most 50: the position
	Phone         string          `json:"phone,omitempty"`       // at most 30, kept as given; unique and looked up by PhoneKey
	Email         string          `json:"email,omitempty"`       // at most 254, kept as given; looked up by EmailKey
	Wechat        string          `json:"wechat,omitempty"`      // at most 50
	IsPrimary     bool            `json:"is_primary"`            // never by itself: the host says so, here or by MakePrimary
	DecisionMaker bool            `json:"decision_maker"`        //
	Inactive      bool            `json:"inactive,omitempty"`    // has left, or must not be spoken to
	Birthday      kernel.Date     `json:"birthday,omitempty"`    //
	Preferred     Channel         `json:"preferred,omitempty"`   // communication preference
	Preferences   json.RawMessage `json:"preferences,omitempty"` // a JSON object, at most 10,000 bytes and 32 deep
	Remarks       string          `json:"remarks,omitempty"`     // at most 2,000
	Version       int64           `json:"version"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
	DeletedAt     time.Time       `json:"deleted_at,omitzero"`
	Masked        bool            `json:"masked,omitempty"` // as of its customer, see Mask
}

// Ref names the contact in audit and events.
func (c *Contact) Ref() kernel.Ref { return kernel.Ref{Kind: ContactKind, ID: int64(c.ID)} }

// check refuses what can never be written, and fills in what follows from the rest.
func (c *Contact) check() (err error) {
	if err := whole(c.Masked); err != nil {
		return err
	}
	if c.FullName == "" {
		c.FullName = fullName(c.LastName, c.FirstName)
	}
	if c.Preferences, err = checkJSON("preferences", c.Preferences, '{'); err != nil {
		return err
	}
	return kernel.FirstError(
		checkCode("last_name", c.LastName, 50), checkCode("first_name", c.FirstName, 50),
		kernel.CheckName("full_name", c.FullName, 100),
		kernel.CheckLine("title", c.Title, 50),
		checkPhone("phone", c.Phone), checkEmail(c.Email),
		kernel.CheckLine("wechat", c.Wechat, 50),
		c.Birthday.Check("birthday"),
		kernel.OneOf("preferred", c.Preferred, ByPhone, BySMS, ByEmail, ByWeChat),
		kernel.CheckText("remarks", c.Remarks, 2_000),
	)
}

// fullName is the parts of a name in the order in which people say it. Names with a Chinese character begin with the
// family name and have no space.
func fullName(last, first string) string {
	isHan := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	switch {
	case last == "" || first == "":
		return last + first
	case strings.ContainsFunc(last+first, isHan):
		return last + first
	}
	return first + " " + last
}

// draft is what of c an Add takes over, checked.
func (c *Contact) draft() (*Contact, error) {
	if c == nil {
		return nil, kernel.Invalid("contact", kernel.Empty)
	}
	d := *c
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.CustomerID <= 0 {
		return nil, kernel.Invalid("customer_id", kernel.Empty)
	}
	d.ID, d.Version, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 0, time.Time{}, time.Time{}, time.Time{}
	return &d, nil
}

func (c *Contact) settle(now time.Time) { c.Version, c.CreatedAt, c.UpdatedAt = 1, now, now }

// edited is the contact with the host's changes, or why they are not accepted. A full name that was made of the parts
// follows them.
func (c *Contact) edited(given Contact) (*Contact, error) {
	if given.Version != c.Version {
		return nil, kernel.StaleVersion(given.Version, c.Version)
	}
	if err := kernel.FirstError(unchanged("customer_id", given.CustomerID, c.CustomerID), sentBack(&given, c, contactSecrets)); err != nil {
		return nil, err
	}
	next := given
	if made := fullName(c.LastName, c.FirstName); given.FullName == c.FullName && c.FullName == made {
		if name := fullName(given.LastName, given.FirstName); name != "" {
			next.FullName = name
		}
	}
	next.ID, next.CreatedAt, next.UpdatedAt, next.DeletedAt = c.ID, c.CreatedAt, c.UpdatedAt, c.DeletedAt
	return &next, next.check()
}

// changed makes c the next version of cur, with its change; false when they do not differ.
func (c *Contact) changed(cur *Contact, event string, now time.Time) (kernel.Change, bool) {
	was, is := kernel.Diff(cur, c)
	if is == nil {
		return kernel.Change{}, false
	}
	c.Version, c.UpdatedAt = cur.Version+1, now
	return kernel.Change{Ref: c.Ref(), Type: event, Before: was, After: is}, true
}

// ContactRepository keeps contacts, with the keys of their phones and e-mail addresses. The customer's row is locked before
// it is asked to write.
type ContactRepository interface {
	// Insert must give ids to all and write all, except those whose phone or primary place another living contact of the
	// customer has, or one before it in the call: these it returns ("phone" or "is_primary").
	Insert(ctx context.Context, t kernel.TenantID, cs ...*Contact) ([]Taken, error)
	// Get must return the contacts that exist, with a living customer within the scope, in the order of the ids; deleted
	// asks for the deleted contacts instead. Masked must tell whether the customer lies in a pool.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, deleted bool, ids ...ContactID) ([]*Contact, error)
	// Update must write all columns of contacts as given, in their order, and return those whose phone or primary place a
	// living contact that is not among them has, without writing them.
	Update(ctx context.Context, t kernel.TenantID, cs ...*Contact) ([]Taken, error)
	// Primary must return the primary contact of the customer, or nil.
	Primary(ctx context.Context, t kernel.TenantID, id ID) (*Contact, error)
	// List must return w.Limit+1 contacts of the customer at most, by id.
	List(ctx context.Context, t kernel.TenantID, id ID, w kernel.Window) ([]*Contact, error)
	// Find must return w.Limit+1 contacts at most, by id, that have the phone key or the e-mail key, with a living customer
	// within the scope; an empty key is none. Masked is as for Get.
	Find(ctx context.Context, t kernel.TenantID, s kernel.Scope, phoneKey, emailKey string, w kernel.Window) ([]*Contact, error)
}
