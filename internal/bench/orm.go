package main

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// ormCustomer is the row as one writes it for an ORM; GORM and bun read the same names out of it.
type ormCustomer struct {
	ID                                         customer.ID
	Code, Name                                 string
	Type                                       customer.Type
	Level                                      word
	Standing                                   customer.Standing
	BlacklistReason                            string
	Stage                                      customer.Stage
	LostReason                                 string
	Industry                                   word
	Size                                       customer.Size
	AnnualRevenue, AnnualPotential             money `gorm:"type:any"`
	CreditRating                               customer.CreditRating
	Source                                     word
	ReferredBy                                 customer.ID
	Region                                     word
	Province, City, District                   string
	AcquiredOn                                 kernel.Date
	ServiceAgent                               word
	SourceLead                                 int64
	Brand, Remarks                             string
	ExternalSystem, ExternalID, OwnerID        word
	OwnedSince                                 instant `gorm:"type:any"`
	PoolID                                     customer.PoolID
	PoolEnteredAt                              instant `gorm:"type:any"`
	LastOwner                                  word
	FirstFollowupAt, LastFollowupAt, LockUntil instant `gorm:"type:any"`
	LockReason                                 string
	Version, Seq                               int64
	CreatedAt                                  instant `gorm:"type:any"`
	CreatedBy                                  crm.UserID
	UpdatedAt                                  instant `gorm:"type:any"`
	UpdatedBy                                  crm.UserID
	DeletedAt                                  instant `gorm:"type:any"`
}

func (ormCustomer) TableName() string { return "crm_customers" }

func (o *ormCustomer) domain() *customer.Customer {
	return &customer.Customer{
		ID: o.ID, Code: o.Code, Name: o.Name, Type: o.Type, Level: customer.Level(o.Level), Standing: o.Standing, BlacklistReason: o.BlacklistReason,
		Stage: o.Stage, LostReason: o.LostReason, Industry: string(o.Industry), Size: o.Size, AnnualRevenue: decimal.NullDecimal(o.AnnualRevenue),
		AnnualPotential: decimal.NullDecimal(o.AnnualPotential), CreditRating: o.CreditRating, Source: string(o.Source), ReferredBy: o.ReferredBy,
		Region: string(o.Region), Province: o.Province, City: o.City, District: o.District, AcquiredOn: o.AcquiredOn,
		ServiceAgent: crm.UserID(o.ServiceAgent), SourceLead: o.SourceLead, Brand: o.Brand, Remarks: o.Remarks,
		ExternalSystem: string(o.ExternalSystem), ExternalID: string(o.ExternalID),
		Ownership: customer.Ownership{
			OwnerID: crm.UserID(o.OwnerID), OwnedSince: time.Time(o.OwnedSince), PoolID: o.PoolID, PoolEnteredAt: time.Time(o.PoolEnteredAt),
			LastOwner: crm.UserID(o.LastOwner), FirstFollowupAt: time.Time(o.FirstFollowupAt), LastFollowupAt: time.Time(o.LastFollowupAt),
			LockUntil: time.Time(o.LockUntil), LockReason: o.LockReason,
		},
		Version: o.Version, Seq: o.Seq, CreatedAt: time.Time(o.CreatedAt), CreatedBy: o.CreatedBy, UpdatedAt: time.Time(o.UpdatedAt),
		UpdatedBy: o.UpdatedBy, DeletedAt: time.Time(o.DeletedAt),
	}
}

func (o *ormCustomer) visible(d *data, w who) bool {
	return crm.UserID(o.OwnerID) == w.user || o.OwnerID == "" && slices.Contains(d.poolsOf(w), int64(o.PoolID))
}

func domains(rows []ormCustomer) []*customer.Customer {
	all := make([]*customer.Customer, len(rows))
	for i := range rows {
		all[i] = rows[i].domain()
	}
	return all
}

// What an ORM reads before it claims, beside the customer.
type (
	ormPool struct {
		ClaimCondition       string
		Public               bool
		Protection, CoolDown int64
	}
	ormMember  struct{ InactiveSince instant }
	ormCounter struct{ Places, Cap, DailyQuota, ClaimsUsed int }
)

const ormCounterSQL = `SELECT coalesce(k.places, 0) AS places, coalesce(k.own_cap, y.cap) AS cap, coalesce(k.own_daily_quota, y.daily_quota) AS daily_quota,
	CASE WHEN k.claims_day = ? THEN k.claims_used ELSE 0 END AS claims_used FROM crm_policies y
	LEFT JOIN crm_counters k ON k.tenant_id = y.tenant_id AND k.kind = y.kind AND k.user_id = ? WHERE y.tenant_id = ? AND y.kind = 'customer'`

const ormPlaceSQL = `INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used) VALUES (?, 'customer', ?, ?, ?, 1)
	ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places, claims_day = excluded.claims_day,
		claims_used = CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END + 1`

const ormDay = "2026-03-02"

// may is the rule in Go, on rows that are locked.
func (o *ormCustomer) may(w who, p ormPool, m ormMember, k ormCounter) error {
	entered := time.Time(o.PoolEnteredAt)
	wait := time.Duration(p.Protection) * time.Microsecond
	if crm.UserID(o.LastOwner) == w.user {
		wait = max(wait, time.Duration(p.CoolDown)*time.Microsecond)
	}
	if o.OwnerID != "" || o.Standing == customer.Blacklisted || !p.Public || p.ClaimCondition != "" || !time.Time(m.InactiveSince).IsZero() ||
		!entered.IsZero() && entered.Add(wait).After(now) || o.Stage != customer.Won && k.Places >= k.Cap || k.ClaimsUsed >= k.DailyQuota {
		return errLost
	}
	return nil
}

func (o *ormCustomer) places() int {
	if o.Stage == customer.Won {
		return 0
	}
	return 1
}

// claimed is what changes of the customer, and the rows that tell of it.
func (r *rawSQL) claimed(tenant int64, w who, o *ormCustomer) (set map[string]any, rows map[string]map[string]any) {
	at, user, doc := r.at(now), string(w.user), `{"owner_id":"`+string(w.user)+`"}`
	of := func(more map[string]any) map[string]any {
		row := map[string]any{"tenant_id": tenant, "kind": "customer", "record_id": int64(o.ID), "actor": user, "at": at}
		for k, v := range more {
			row[k] = v
		}
		return row
	}
	subject := map[string]any{"subject_kind": "customer", "subject_id": int64(o.ID), "type": "customer.claimed"}
	audit, event := of(subject), of(subject)
	audit["before"], audit["after"] = `{"owner_id":""}`, doc
	event["seq"], event["data"] = o.Seq+1, doc
	record := map[string]any{
		"owner_id": user, "owned_since": at, "pool_entered_at": nil, "first_followup_at": nil, "last_followup_at": nil, "version": o.Version + 1,
		"seq": o.Seq + 1, "updated_at": at, "updated_by": user,
	}
	trail := map[string]map[string]any{
		"crm_operations": of(map[string]any{"action": "claim", "to_owner": user, "pool_id": int64(o.PoolID), "reason": "", "note": "", "rule_id": 0, "rule": ""}),
		"crm_audit":      audit, "crm_outbox": event,
	}
	return record, trail
}

// openGORM is GORM as its manual recommends it for speed: prepared statements, no transaction around single statements.
func openGORM(_ context.Context, e engine, d *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	var dialect gorm.Dialector = &sqlite.Dialector{Conn: db}
	if e.pg {
		dialect = postgres.New(postgres.Config{Conn: db})
	}
	g, err := gorm.Open(dialect, &gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true, Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	r := &rawSQL{e: e, d: d}
	return &contestant{
		name: "gorm", close: db.Close,
		get: func(ctx context.Context, w who, id int64) (*customer.Customer, error) {
			var o ormCustomer
			err := g.WithContext(ctx).Where("tenant_id = ? AND id = ? AND deleted_at IS NULL", d.houses[w.tenant].number, id).Take(&o).Error
			if err == nil && !o.visible(d, w) {
				err = errLost
			}
			return o.domain(), err
		},
		list: func(ctx context.Context, w who, q query) ([]*customer.Customer, error) {
			var rows []ormCustomer
			text, args := orOf(q)
			err := g.WithContext(ctx).Where("tenant_id = ? AND id > ? AND deleted_at IS NULL", d.houses[w.tenant].number, q.after).
				Where(text, args...).Order("id").Limit(q.limit).Find(&rows).Error
			return domains(rows), err
		},
		claim: func(ctx context.Context, w who, id int64) error {
			return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return r.claimGORM(tx, w, id) })
		},
	}, nil
}

// orOf is the owners and pools of a query as one condition.
func orOf(q query) (text string, args []any) {
	switch {
	case len(q.pools) == 0:
		return "owner_id IN ?", []any{q.owners}
	case len(q.owners) == 0:
		return "owner_id IS NULL AND pool_id IN ?", []any{q.pools}
	}
	return "(owner_id IN ? OR owner_id IS NULL AND pool_id IN ?)", []any{q.owners, q.pools}
}

func (r *rawSQL) claimGORM(tx *gorm.DB, w who, id int64) error {
	var o ormCustomer
	var p ormPool
	var m ormMember
	var k ormCounter
	tenant := r.d.houses[w.tenant].number
	lock := tx
	if r.e.pg {
		lock = tx.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	if err := lock.Where("tenant_id = ? AND id = ? AND deleted_at IS NULL", tenant, id).Take(&o).Error; err != nil {
		return err
	}
	if err := cmp.Or(
		tx.Table("crm_pools").Where("tenant_id = ? AND id = ?", tenant, o.PoolID).Take(&p).Error,
		tx.Table("crm_members").Where("tenant_id = ? AND user_id = ?", tenant, string(w.user)).Take(&m).Error,
		tx.Raw(ormCounterSQL, ormDay, string(w.user), tenant).Scan(&k).Error,
		o.may(w, p, m, k)); err != nil {
		return err
	}
	set, rows := r.claimed(tenant, w, &o)
	if done := tx.Model(&ormCustomer{}).Where("tenant_id = ? AND id = ? AND owner_id IS NULL", tenant, id).Updates(set); done.Error != nil || done.RowsAffected == 0 {
		return cmp.Or(done.Error, errLost)
	}
	if err := tx.Exec(ormPlaceSQL, tenant, string(w.user), o.places(), ormDay).Error; err != nil {
		return err
	}
	for table, row := range rows {
		if err := tx.Table(table).Create(row).Error; err != nil {
			return err
		}
	}
	return nil
}

// openBun is plain bun, as its manual shows it.
func openBun(_ context.Context, e engine, d *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	var dialect schema.Dialect = sqlitedialect.New()
	if e.pg {
		dialect = pgdialect.New()
	}
	b, r := bun.NewDB(db, dialect), &rawSQL{e: e, d: d}
	return &contestant{
		name: "bun", close: db.Close,
		get: func(ctx context.Context, w who, id int64) (*customer.Customer, error) {
			var o ormCustomer
			err := b.NewSelect().Model(&o).ModelTableExpr("crm_customers AS orm_customer").Where("tenant_id = ? AND id = ? AND deleted_at IS NULL",
				d.houses[w.tenant].number, id).Scan(ctx)
			if err == nil && !o.visible(d, w) {
				err = errLost
			}
			return o.domain(), err
		},
		list: func(ctx context.Context, w who, q query) ([]*customer.Customer, error) {
			var rows []ormCustomer
			s := b.NewSelect().Model(&rows).ModelTableExpr("crm_customers AS orm_customer").Where("tenant_id = ? AND id > ? AND deleted_at IS NULL",
				d.houses[w.tenant].number, q.after)
			s = s.WhereGroup(" AND ", func(s *bun.SelectQuery) *bun.SelectQuery {
				if len(q.owners) > 0 {
					s = s.WhereOr("owner_id IN (?)", bun.List(q.owners))
				}
				if len(q.pools) > 0 {
					s = s.WhereOr("owner_id IS NULL AND pool_id IN (?)", bun.List(q.pools))
				}
				return s
			})
			err := s.Order("id").Limit(int64(q.limit)).Scan(ctx)
			return domains(rows), err
		},
		claim: func(ctx context.Context, w who, id int64) error {
			return b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return r.claimBun(ctx, tx, w, id) })
		},
	}, nil
}

func (r *rawSQL) claimBun(ctx context.Context, tx bun.Tx, w who, id int64) error {
	var o ormCustomer
	var p ormPool
	var m ormMember
	var k ormCounter
	tenant := r.d.houses[w.tenant].number
	look := tx.NewSelect().Model(&o).ModelTableExpr("crm_customers AS orm_customer").Where("tenant_id = ? AND id = ? AND deleted_at IS NULL", tenant, id)
	if r.e.pg {
		look = look.For("UPDATE")
	}
	if err := look.Scan(ctx); err != nil {
		return err
	}
	if err := cmp.Or(
		tx.NewSelect().Table("crm_pools").Column("claim_condition", "public", "protection", "cool_down").
			Where("tenant_id = ? AND id = ?", tenant, int64(o.PoolID)).Scan(ctx, &p),
		tx.NewSelect().Table("crm_members").Column("inactive_since").Where("tenant_id = ? AND user_id = ?", tenant, string(w.user)).Scan(ctx, &m),
		tx.NewRaw(ormCounterSQL, ormDay, string(w.user), tenant).Scan(ctx, &k),
		o.may(w, p, m, k)); err != nil {
		return err
	}
	set, rows := r.claimed(tenant, w, &o)
	update := tx.NewUpdate().Table("crm_customers").Where("tenant_id = ? AND id = ? AND owner_id IS NULL", tenant, id)
	for column, v := range set {
		update = update.Set("? = ?", bun.Ident(column), v)
	}
	if err := one(update.Exec(ctx)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, ormPlaceSQL, tenant, string(w.user), o.places(), ormDay); err != nil {
		return err
	}
	for table, row := range rows {
		if _, err := tx.NewInsert().Model(&row).TableExpr(table).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// one is errLost for a statement that changed nothing.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errLost)
	}
	return nil
}
