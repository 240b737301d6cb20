package kernel

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Page asks for one page of a list. The zero value is the first page of 50.
type Page struct {
	After string // List.Next of the page before; empty: from the start
	Limit int    // items at most: 0 is 50, more than 500 is 500
}

// List is one page.
type List[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty on the last
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

// Window is a page as a repository needs it: the keys that the list is ordered by, of the last item seen.
type Window struct {
	After []int64 // nil: from the start
	Limit int     // what the page takes; repositories are asked for one more, which tells whether there is a next page
}

// Open decodes the page of a list that is ordered by n keys. A cursor of another list is refused (invalid, "after").
func (p Page) Open(list string, n int) (Window, error) {
	w := Window{Limit: min(p.Limit, maxLimit)}
	if w.Limit <= 0 {
		w.Limit = defaultLimit
	}
	if p.After == "" {
		return w, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	parts := strings.Split(string(raw), "/")
	if err != nil || len(parts) != n+1 || parts[0] != list {
		return w, Invalid("after", Malformed)
	}
	for _, part := range parts[1:] {
		key, err := strconv.ParseInt(part, 36, 64)
		if err != nil {
			return w, Invalid("after", Malformed)
		}
		w.After = append(w.After, key)
	}
	return w, nil
}

// Cut makes a list of what a repository returned for w.Limit+1; keys are the order keys of an item.
func Cut[T any](list string, w Window, items []T, keys func(T) []int64) List[T] {
	if len(items) <= w.Limit {
		return List[T]{Items: items}
	}
	items = items[:w.Limit]
	cursor := list
	for _, key := range keys(items[w.Limit-1]) {
		cursor += "/" + strconv.FormatInt(key, 36)
	}
	return List[T]{Items: items, Next: base64.RawURLEncoding.EncodeToString([]byte(cursor))}
}
