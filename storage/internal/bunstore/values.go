package bunstore

import "github.com/uptrace/bun/schema"

// tuple is one row of a VALUES list.
type tuple []any

// tuples is a VALUES list as one argument of a raw query.
type tuples []tuple

// AppendQuery writes (a, b), (c, d). An empty list is a bug of the caller: SQL has no empty VALUES.
func (ts tuples) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if len(ts) == 0 {
		return nil, bug("an empty list of values")
	}
	for i, row := range ts {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '(')
		for j, v := range row {
			if j > 0 {
				b = append(b, ", "...)
			}
			b = gen.Append(b, v)
		}
		b = append(b, ')')
	}
	return b, nil
}

// binds are the named arguments of a raw query: ?name in its text. A value may be a piece of SQL with arguments of its own
// (schema.SafeQuery).
type binds map[string]any

// AppendNamedArg writes the argument of a name; a name that is missing stays in the text and fails there.
func (m binds) AppendNamedArg(gen schema.QueryGen, b []byte, name string) ([]byte, bool) {
	v, ok := m[name]
	if !ok {
		return b, false
	}
	if q, ok := v.(schema.QueryAppender); ok {
		text, err := q.AppendQuery(gen, b)
		if err != nil {
			return append(b, "?!("+err.Error()+")"...), true // as bun does: the statement fails, and says why
		}
		return text, true
	}
	return gen.Append(b, v), true
}

// many is the list in an IN (?).
type many []any

func manyOf[T any](values []T) many {
	list := make(many, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

// AppendQuery writes the values with commas; none is NULL, which nothing is in.
func (m many) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if len(m) == 0 {
		return append(b, "NULL"...), nil
	}
	for i, v := range m {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = gen.Append(b, v)
	}
	return b, nil
}
