package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// AddressID is an address's number.
type AddressID int64

// AddressKind is how references name addresses.
const AddressKind = "address"

// AddressType is what an address is for.
type AddressType string

// The types of addresses.
const (
	Billing  AddressType = "billing"
	Shipping AddressType = "shipping"
	Office   AddressType = "office"
	Home     AddressType = "home"
)

// Address is a place of a customer (mission.md, C3). A customer has one default address per type at most; deleted ones do
// not count. Lengths are in characters.
type Address struct {
	ID           AddressID   `json:"id"`
	CustomerID   ID          `json:"customer_id"`
	Type         AddressType `json:"type"`
	Region       string      `json:"region,omitempty"`        // division code, 2 to 12 digits
	Province     string      `json:"province"`                // at most 50, needed
	City         string      `json:"city"`                    // at most 50, needed
	District     string      `json:"district,omitempty"`      // at most 50
	Street       string      `json:"street"`                  // at most 200, needed: the detailed address
	PostalCode   string      `json:"postal_code,omitempty"`   // at most 10
	IsDefault    bool        `json:"is_default"`              // of its type; never by itself: the host says so, here or by MakeDefault
	ContactName  string      `json:"contact_name,omitempty"`  // at most 50
	ContactPhone string      `json:"contact_phone,omitempty"` // at most 30, a phone number by PhoneKey
	Version      int64       `json:"version"`
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	DeletedAt    time.Time   `json:"deleted_at,omitzero"`
	Masked       bool        `json:"masked,omitempty"` // as of its customer, see Mask
}

// Ref names the address in audit and events.
func (a *Address) Ref() kernel.Ref { return kernel.Ref{Kind: AddressKind, ID: int64(a.ID)} }

func (a *Address) check() error {
	if err := whole(a.Masked); err != nil {
		return err
	}
	if a.Type == "" {
		return kernel.Invalid("type", kernel.Empty)
	}
	return kernel.FirstError(
		kernel.OneOf("type", a.Type, Billing, Shipping, Office, Home),
		kernel.CheckRegion("region", a.Region),
		kernel.CheckName("province", a.Province, 50), kernel.CheckName("city", a.City, 50),
		kernel.CheckLine("district", a.District, 50), kernel.CheckName("street", a.Street, 200),
		kernel.CheckLine("postal_code", a.PostalCode, 10),
		kernel.CheckLine("contact_name", a.ContactName, 50), checkPhone("contact_phone", a.ContactPhone),
	)
}

// draft is what of a an Add takes over, checked.
func (a *Address) draft() (*Address, error) {
	if a == nil {
		return nil, kernel.Invalid("address", kernel.Empty)
	}
	d := *a
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.CustomerID <= 0 {
		return nil, kernel.Invalid("customer_id", kernel.Empty)
	}
	d.ID, d.Version, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 0, time.Time{}, time.Time{}, time.Time{}
	return &d, nil
}

func (a *Address) settle(now time.Time) { a.Version, a.CreatedAt, a.UpdatedAt = 1, now, now }

// edited is the address with the host's changes, or why they are not accepted.
func (a *Address) edited(given Address) (*Address, error) {
	if given.Version != a.Version {
		return nil, kernel.StaleVersion(given.Version, a.Version)
	}
	next := given
	next.ID, next.CreatedAt, next.UpdatedAt, next.DeletedAt = a.ID, a.CreatedAt, a.UpdatedAt, a.DeletedAt
	return &next, kernel.FirstError(unchanged("customer_id", given.CustomerID, a.CustomerID), sentBack(&given, a, addressSecrets))
}

// changed makes a the next version of cur, with its change; false when they do not differ.
func (a *Address) changed(cur *Address, event string, now time.Time) (kernel.Change, bool) {
	was, is := kernel.Diff(cur, a)
	if is == nil {
		return kernel.Change{}, false
	}
	a.Version, a.UpdatedAt = cur.Version+1, now
	return kernel.Change{Ref: a.Ref(), Type: event, Before: was, After: is}, true
}

// AddressRepository keeps addresses. The customer's row is locked before it is asked to write.
type AddressRepository interface {
	// Insert must give ids to all and write all, except those whose default place another living address of the customer
	// and type has, or one before it in the call: these it returns ("is_default").
	Insert(ctx context.Context, t kernel.TenantID, as ...*Address) ([]Taken, error)
	// Get must return the addresses that exist, with a living customer within the scope, in the order of the ids; deleted
	// asks for the deleted addresses instead. Masked must tell whether the customer lies in a pool.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, deleted bool, ids ...AddressID) ([]*Address, error)
	// Update must write all columns of addresses as given, in their order, and return those whose default place a living
	// address that is not among them has, without writing them.
	Update(ctx context.Context, t kernel.TenantID, as ...*Address) ([]Taken, error)
	// Default must return the customer's default address of the type, or nil.
	Default(ctx context.Context, t kernel.TenantID, id ID, typ AddressType) (*Address, error)
	// List must return w.Limit+1 addresses of the customer at most, by id.
	List(ctx context.Context, t kernel.TenantID, id ID, w kernel.Window) ([]*Address, error)
}
