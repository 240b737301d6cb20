package team

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/openseas/crm/kernel"
)

// HostPrefix begins every type and kind that a host reports, so that none can be taken for one of ours.
const HostPrefix = "host."

// Report is an action of the host that the trail is to keep: a list that was printed, a document that was read.
type Report struct {
	Type    string     // at most 100: host. and lower-case words, such as host.list_printed
	Subject kernel.Ref // a customer, something of the host (kind host.…), or nothing: the tenant
	Data    any        // rendered as JSON, at most 10,000 bytes; nil is none
}

// customerKind is customer.Kind, which this package cannot name: both stand on one floor.
const customerKind = "customer"

func (r *Report) check() (data json.RawMessage, err error) {
	if err := checkHostWord("type", r.Type); err != nil {
		return nil, err
	}
	switch {
	case r.Subject == kernel.Ref{}:
		r.Subject = kernel.Ref{Kind: TenantKind}
	case r.Subject.Kind != customerKind:
		if err := checkHostWord("subject", r.Subject.Kind); err != nil {
			return nil, err
		}
	}
	if r.Data == nil {
		return nil, nil
	}
	if data, err = json.Marshal(r.Data); err != nil {
		return nil, kernel.Invalidf("data", kernel.Malformed, "%w", err)
	}
	return data, kernel.CheckText("data", string(data), 10_000)
}

func checkHostWord(field, word string) error {
	rest, ours := strings.CutPrefix(word, HostPrefix)
	if !ours || rest == "" || len(word) > 100 || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" {
		return kernel.Invalidf(field, kernel.Malformed, "host. and at most 95 lower-case letters, digits, dots and underscores")
	}
	return nil
}

// Report writes an action of the host on the audit trail, with its event, in the order of the subject (mission.md, T4).
// Every active member may, and the system actor; a customer must lie within what the actor may read.
func (s *Trail) Report(ctx context.Context, a kernel.Actor, r Report) error {
	const op = "team.Trail.Report"
	data, err := r.check()
	if err := kernel.FirstError(a.Check(), err); err != nil {
		return kernel.Wrap(op, err)
	}
	rights, err := s.core.Authority.Rights(ctx, a)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	return kernel.Wrap(op, s.core.Unit(ctx, kernel.Write, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: s.core.Clock.Now(), Rights: rights}
		_, err := kernel.Once(ctx, c, op, []any{r.Type, r.Subject, data}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
			if err := readable(ctx, c, r.Subject); err != nil {
				return kernel.None{}, err
			}
			change := kernel.Change{Subject: r.Subject, Ref: r.Subject, Type: r.Type}
			if data != nil {
				change.After = data
			}
			return kernel.None{}, c.Record(ctx, change)
		})
		return err
	}))
}

// readable is not found for a customer outside what the actor may read.
func readable(ctx context.Context, c *kernel.Call[Tx], ref kernel.Ref) error {
	if ref.Kind != customerKind {
		return nil
	}
	scope, err := c.Rights.Scope(kernel.CustomerRead)
	if err != nil {
		return err
	}
	seen, err := c.Tx.Trail().Visible(ctx, c.Actor.Tenant, scope, ref.ID)
	if err == nil && !seen {
		err = kernel.ErrNotFound
	}
	return err
}
