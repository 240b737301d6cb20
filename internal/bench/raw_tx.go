package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// openTx is what one writes at first: BEGIN, a statement for each table, COMMIT, over a pool of 16 connections, prepared. On
// SQLite the writers wait for each other in the engine, with busy_timeout.
func openTx(_ context.Context, e engine, d *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	r := &rawSQL{e: e, d: d, db: db, stmts: map[string]*sql.Stmt{}}
	return &contestant{name: "tx", claim: r.claimTx, close: db.Close}, nil
}

func (r *rawSQL) claimTx(ctx context.Context, w who, id int64) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := r.claimIn(ctx, tx, w, id); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (r *rawSQL) claimIn(ctx context.Context, tx *sql.Tx, w who, id int64) error {
	var seq, pool int64
	var stage, place string
	tenant, user, doc, day, at := r.d.houses[w.tenant].number, string(w.user), `{"owner_id":"`+string(w.user)+`"}`, ormDay, r.at(now)
	row := func(text string, args []any, dest ...any) error {
		st, err := r.statement(ctx, text)
		if err != nil {
			return err
		}
		return tx.StmtContext(ctx, st).QueryRowContext(ctx, args...).Scan(dest...)
	}
	exec := func(text string, args ...any) error {
		st, err := r.statement(ctx, text)
		if err != nil {
			return err
		}
		_, err = tx.StmtContext(ctx, st).ExecContext(ctx, args...)
		return err
	}
	unit := ""
	if r.e.pg {
		unit = " * interval '1 microsecond'"
	}
	record := strings.ReplaceAll(rawClaimRecord+` AND (t.pool_entered_at IS NULL OR t.pool_entered_at + p.protection{unit} <= $4)
		AND (t.pool_entered_at IS NULL OR t.last_owner IS DISTINCT FROM $3 OR t.pool_entered_at + p.cool_down{unit} <= $4)
		RETURNING t.seq, t.pool_id, t.stage`, "{unit}", unit)
	if !r.e.pg {
		record = strings.NewReplacer("RETURNING t.seq, t.pool_id, t.stage", "RETURNING seq, pool_id, stage").Replace(record)
	}
	err := row(record, []any{tenant, id, user, at}, &seq, &pool, &stage)
	if errors.Is(err, sql.ErrNoRows) {
		return errLost
	}
	if err != nil {
		return err
	}
	takes := 1
	if stage == "won" {
		takes = 0
	}
	return errors.Join(
		row(`INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used) VALUES ($1, 'customer', $2, $3, $4, 1) `+
			rawClaimPlace, []any{tenant, user, takes, day}, &place),
		exec(rawOperation+`VALUES ($1, 'customer', $2, 'claim', $3, $3, $5, '', '', 0, '', $4)`, tenant, id, user, at, pool),
		exec(rawAudit+`VALUES ($1, 'customer', $2, 'customer', $2, 'customer.claimed', $3, $4, '{"owner_id":""}', $5)`, tenant, id, user, at, doc),
		exec(rawEvent+`VALUES ($1, 'customer', $2, $5, 'customer', $2, 'customer.claimed', $3, $4, $6)`, tenant, id, user, at, seq, doc),
	)
}

// statement is a prepared one of the pool.
func (r *rawSQL) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.prepare(ctx, r.stmts, text, r.db); err != nil {
		return nil, err
	}
	return r.stmts[text], nil
}
