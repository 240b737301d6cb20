package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// Mode says what a unit of work is going to do, so that the store need not do more than that.
type Mode int

// The modes.
const (
	Read      Mode = iota // reads only; may run beside the writers and without a transaction
	Write                 // one transaction
	OneCall               // one repository call that is atomic by itself: no BEGIN where the engine can do without
	OwnCommit             // one transaction that must be ours: refused inside a host's (reason OwnCommits)
)

// UnitOfWork runs fn with the repositories T that a module asked for: all of it happens, or nothing.
type UnitOfWork[T any] func(ctx context.Context, m Mode, fn func(ctx context.Context, tx T) error) error

// Tx is what every module needs of a transaction.
type Tx interface {
	Journal() Journal
	Requests() Requests
}

// Requests keeps the outcomes of calls that carried an Actor.Request.
type Requests interface {
	// Begin must note the request, or return the outcome that an earlier call left (never nil then). A request that was
	// used for other content is a conflict with reason Reused. Of two calls at once, one must wait for the other.
	Begin(ctx context.Context, a Actor, op string, hash []byte, at time.Time) (outcome []byte, err error)
	// End must keep the outcome of a request that Begin noted.
	End(ctx context.Context, a Actor, op string, outcome []byte) error
}

// Service is what the services of a module are made of.
type Service[T Tx] struct {
	Unit      UnitOfWork[T]
	Authority Authority
	Clock     Clock
}

// Call is one use case under way: who, when, with which rights, in which transaction.
type Call[T Tx] struct {
	Tx     T
	Actor  Actor
	Now    time.Time // one instant for the whole unit of work
	Rights Rights
	Scope  Scope // of the permission that was asked for
}

// Today is the calendar day of the call in the tenant's zone.
func (c *Call[T]) Today() Date { return DateOf(c.Now, c.Rights.Zone) }

// Record writes changes to the journal, as the actor and the time of the call.
func (c *Call[T]) Record(ctx context.Context, changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	return c.Tx.Journal().Record(ctx, c.Actor, c.Now, changes...)
}

// Enter checks the actor and its right to p. Use cases that neither Ask nor Do serves begin with it.
func (s *Service[T]) Enter(ctx context.Context, a Actor, p Permission) (Rights, Scope, error) {
	if err := a.Check(); err != nil {
		return Rights{}, Scope{}, err
	}
	rights, err := s.Authority.Rights(ctx, a)
	if err != nil {
		return Rights{}, Scope{}, err
	}
	scope, err := rights.Scope(p)
	return rights, scope, err
}

// Ask runs a use case that only reads.
func Ask[T Tx, R any](ctx context.Context, s *Service[T], a Actor, op string, p Permission,
	fn func(ctx context.Context, c *Call[T]) (R, error),
) (result R, err error) {
	rights, scope, err := s.Enter(ctx, a, p)
	if err != nil {
		return result, Wrap(op, err)
	}
	err = s.Unit(ctx, Read, func(ctx context.Context, tx T) error {
		result, err = fn(ctx, &Call[T]{Tx: tx, Actor: a, Now: s.Clock.Now(), Rights: rights, Scope: scope})
		return err
	})
	if err != nil {
		var none R
		return none, Wrap(op, err)
	}
	return result, nil
}

// Do runs a use case that writes, in one transaction, once per Actor.Request: input is what makes two calls with the
// same request the same call.
func Do[T Tx, R any](ctx context.Context, s *Service[T], a Actor, op string, p Permission, input any,
	fn func(ctx context.Context, c *Call[T]) (R, error),
) (result R, err error) {
	rights, scope, err := s.Enter(ctx, a, p)
	if err != nil {
		return result, Wrap(op, err)
	}
	err = s.Unit(ctx, Write, func(ctx context.Context, tx T) error {
		c := &Call[T]{Tx: tx, Actor: a, Now: s.Clock.Now(), Rights: rights, Scope: scope}
		result, err = Once(ctx, c, op, input, fn)
		return err
	})
	if err != nil {
		var none R
		return none, Wrap(op, err)
	}
	return result, nil
}

// Once runs fn, or returns what the first call with the same Actor.Request returned.
func Once[T Tx, R any](ctx context.Context, c *Call[T], op string, input any,
	fn func(ctx context.Context, c *Call[T]) (R, error),
) (result R, err error) {
	if c.Actor.Request == "" {
		return fn(ctx, c)
	}
	hash, err := contentHash(c.Actor, input)
	if err != nil {
		return result, err
	}
	outcome, err := c.Tx.Requests().Begin(ctx, c.Actor, op, hash, c.Now)
	if err != nil {
		return result, err
	}
	if outcome != nil {
		if err := json.Unmarshal(outcome, &result); err != nil {
			return result, fmt.Errorf("the outcome of request %q: %w", c.Actor.Request, err)
		}
		return result, nil
	}
	if result, err = fn(ctx, c); err != nil {
		return result, err
	}
	if outcome, err = json.Marshal(result); err != nil {
		return result, err
	}
	return result, c.Tx.Requests().End(ctx, c.Actor, op, outcome)
}

func contentHash(a Actor, input any) ([]byte, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("the content of request %q: %w", a.Request, err)
	}
	sum := sha256.Sum256(append([]byte(string(a.User)+"\x00"), text...))
	return sum[:], nil
}

// None is the result of use cases that return nothing but an error.
type None struct{}

// Several says what a call that takes many does when not everything can be had.
type Several int

// The two ways.
const (
	AllOrNothing Several = iota // one refusal undoes all; the error is the first one, with its item's index
	WhatCanBeHad                // what is refused is an outcome of its item, the rest is done
)

// MaxItems bounds calls that take many: more is a matter for several calls, each with its own transaction.
const MaxItems = 10_000

// CheckItems refuses more items than one call takes.
func CheckItems(field string, n int) error {
	if n > MaxItems {
		return Invalidf(field, TooMany, "at most %d in one call", MaxItems)
	}
	return nil
}
