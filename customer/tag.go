package customer

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/openseas/crm/kernel"
)

// TagID is a tag's number.
type TagID int64

// TagKind is how references name tags.
const TagKind = "tag"

// Tag is a word with a colour that customers, and later cases, can carry (mission.md, C4). A deleted tag is carried by
// nobody: its name is free, and what carried it does not carry a new tag of that name.
type Tag struct {
	ID        TagID     `json:"id"`
	Name      string    `json:"name"`             // at most 50, unique in the tenant, case counts
	Colour    string    `json:"colour,omitempty"` // #RRGGBB, kept in upper case; may be empty
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// Ref names the tag in audit and events.
func (t *Tag) Ref() kernel.Ref { return kernel.Ref{Kind: TagKind, ID: int64(t.ID)} }

// check refuses what can never be written, and writes the colour in upper case.
func (t *Tag) check() error {
	if err := kernel.CheckName("name", t.Name, 50); err != nil {
		return err
	}
	if t.Colour == "" {
		return nil
	}
	colour := strings.ToUpper(t.Colour)
	if !colourForm.MatchString(colour) {
		return kernel.Invalidf("colour", kernel.Malformed, "%.20q is no colour of the form #RRGGBB", t.Colour)
	}
	t.Colour = colour
	return nil
}

var colourForm = regexp.MustCompile(`^#[0-9A-F]{6}$`)

// TagRepository keeps tags and which customers carry them. Deleted tags do not exist for it, and nobody carries them.
type TagRepository interface {
	// Insert must give ids to all and write all, except those whose name is taken: these it returns ("name").
	Insert(ctx context.Context, t kernel.TenantID, tags ...*Tag) ([]Taken, error)
	// Lock must return the tags that exist, locked, in the order of the ids.
	Lock(ctx context.Context, t kernel.TenantID, ids ...TagID) ([]*Tag, error)
	// ByName must return the tags that exist, in the order of the names.
	ByName(ctx context.Context, t kernel.TenantID, names ...string) ([]*Tag, error)
	// Update must write all columns of tags as given, and return those whose name another tag has, without writing them.
	Update(ctx context.Context, t kernel.TenantID, tags ...*Tag) ([]Taken, error)
	// List must return w.Limit+1 tags at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Tag, error)
	// Of must return the tags that each living customer within the scope carries, in the order of their names; a customer
	// without tags is left out.
	Of(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...ID) (map[ID][]Tag, error)
	// Put must make each customer carry each tag. The customers exist and are locked.
	Put(ctx context.Context, t kernel.TenantID, tags []TagID, ids ...ID) error
	// Take must make none of the customers carry any of the tags. The customers exist and are locked.
	Take(ctx context.Context, t kernel.TenantID, tags []TagID, ids ...ID) error
}
