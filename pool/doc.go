// Package pool is the public pool (公海): records that nobody owns lie in it, members claim them, and rules put back what
// is neglected. One engine serves every kind of record that has an owner.
//
//	err := c.Pool.Claim(ctx, li, blue.ID)                  // nil, or a *pool.Refusal: reason, until, limit
//	got, err := c.Pool.ClaimMany(ctx, li, ids, pool.WhatCanBeHad)
//	err = c.Pool.Release(ctx, li, blue.ID, &pool.ReleaseOptions{Reason: "no budget"})
//	err = c.Pool.UseDefaults(ctx, boss, 0)                 // the built-in rules, switched on
//	report, err := c.Pool.Recycle(ctx, crm.System("acme", "nightly run"), nil)
//
// Exactly one claim of a record wins, whatever the concurrency, and no cap and no quota is ever exceeded: both are tested
// and raised on rows that the claim itself locks (rules.md, Public pool).
package pool
