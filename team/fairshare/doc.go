// Package fairshare chooses who gets the next item: the member with the smallest share of its cap in use, of equals the one
// who waited longest, of equals the lowest id; never one above its cap (rules.md, Assignment). It is pure: shares are
// compared as fractions, so no rounding decides.
//
//	r := fairshare.NewRound(counters...)           // everybody who may get something in this transaction
//	east := r.Team("li", "wang")                   // teams share the members of the round
//	user, ok := east.Give(1)                       // false: nobody has room
//
// The caller holds the locks of whatever the numbers were read from until it has written what was given.
package fairshare
