package sales

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Tx is what this module needs of a transaction.
type Tx interface {
	customer.Tx
	Categories() CategoryRepository
	Products() ProductRepository
	PriceLists() PriceListRepository
	Pipelines() PipelineRepository
	Opportunities() OpportunityRepository
	Quotes() QuoteRepository
	Numbers() NumberRepository
	Contracts() ContractRepository
	Payments() PaymentRepository
	Invoices() InvoiceRepository
	Receivables() ReceivableRepository
	Leads() LeadRepository
	Analysis() AnalysisRepository
	Orders() OrderRepository
	Held() HeldRepository
}

// Taken is a row that was not written because another has its unique value.
type Taken struct {
	Index int // of the row in the call
	Field string
}

// CategoryRepository keeps the tree of product categories.
type CategoryRepository interface {
	// Insert must give it an id and write it; false when a sibling has its name.
	Insert(ctx context.Context, t kernel.TenantID, x *Category) (bool, error)
	// LockAll must lock all categories of the tenant, in the order of their ids, and return them: whoever moves or deletes
	// one sees the tree as it is.
	LockAll(ctx context.Context, t kernel.TenantID) ([]*Category, error)
	// Count must count the tenant's categories.
	Count(ctx context.Context, t kernel.TenantID) (int, error)
	// Update must write all columns of a locked category; false when a sibling has its name.
	Update(ctx context.Context, t kernel.TenantID, x *Category) (bool, error)
	// Delete must delete a category that nothing hangs on; false when something does.
	Delete(ctx context.Context, t kernel.TenantID, id CategoryID) (bool, error)
	// List must return w.Limit+1 categories at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Category, error)
	// Existing must return which of the categories the tenant has, locked against deletion until the end of the transaction.
	Existing(ctx context.Context, t kernel.TenantID, ids ...CategoryID) ([]CategoryID, error)
}

// ProductRepository keeps products. Deleted ones do not exist for it, unless it says so. Every call is a fixed number of
// statements.
type ProductRepository interface {
	// Insert must give ids, and codes where they are empty, to all and write all, except those whose unique values are
	// taken: these it returns ("code" or "external_id").
	Insert(ctx context.Context, t kernel.TenantID, xs ...*Product) ([]Taken, error)
	// Get must return the products that exist, in the order of the ids; deleted asks for deleted ones too, which documents
	// name.
	Get(ctx context.Context, t kernel.TenantID, deleted bool, ids ...ProductID) ([]*Product, error)
	// Lock is Get of the living with the rows locked.
	Lock(ctx context.Context, t kernel.TenantID, ids ...ProductID) ([]*Product, error)
	// LockByKey must find products by the key of the host's system and lock them, in the order of the ids.
	LockByKey(ctx context.Context, t kernel.TenantID, system string, externalIDs ...string) ([]*Product, error)
	// Update must write all columns of locked products, and return those whose unique values are taken, without writing them.
	Update(ctx context.Context, t kernel.TenantID, xs ...*Product) ([]Taken, error)
	// List must return w.Limit+1 products at most, by id.
	List(ctx context.Context, t kernel.TenantID, f ProductFilter, w kernel.Window) ([]*Product, error)
}

// PriceListRepository keeps price lists and their prices.
type PriceListRepository interface {
	// Insert must give it an id and write it; false when the name is taken.
	Insert(ctx context.Context, t kernel.TenantID, x *PriceList) (bool, error)
	// Get must return the lists that exist, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, ids ...PriceListID) ([]*PriceList, error)
	// Lock is Get with the rows locked.
	Lock(ctx context.Context, t kernel.TenantID, ids ...PriceListID) ([]*PriceList, error)
	// Update must write all columns of a locked list; false when the name is taken.
	Update(ctx context.Context, t kernel.TenantID, x *PriceList) (bool, error)
	// Delete must delete a list with its prices.
	Delete(ctx context.Context, t kernel.TenantID, id PriceListID) error
	// List must return w.Limit+1 lists at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*PriceList, error)
	// PutPrices must write the prices of a locked list, in place of those of the same product and quantity.
	PutPrices(ctx context.Context, t kernel.TenantID, id PriceListID, prices ...Price) error
	// TakePrices must remove all prices of the products from a locked list.
	TakePrices(ctx context.Context, t kernel.TenantID, id PriceListID, products ...ProductID) error
	// Prices must return w.Limit+1 prices at most, by product and quantity: the second key in ten-thousandths.
	Prices(ctx context.Context, t kernel.TenantID, id PriceListID, w kernel.Window) ([]Price, error)
	// PricesOf must return all prices of the products, by product and quantity.
	PricesOf(ctx context.Context, t kernel.TenantID, id PriceListID, products ...ProductID) ([]Price, error)
	// Currency must return the tenant's currency.
	Currency(ctx context.Context, t kernel.TenantID) (string, error)
}

// PipelineRepository keeps pipelines with their stages.
type PipelineRepository interface {
	// LockAll must lock all pipelines of the tenant, in the order of their ids, and return them with their stages.
	LockAll(ctx context.Context, t kernel.TenantID) ([]*Pipeline, error)
	// All is LockAll without locks.
	All(ctx context.Context, t kernel.TenantID) ([]*Pipeline, error)
	// Get must return a pipeline with its stages; 0 asks for the default one.
	Get(ctx context.Context, t kernel.TenantID, id PipelineID) ([]*Pipeline, error)
	// Put must write the pipeline, locked or new, with its stages: it gives ids where there are none, removes stages that are
	// not in it, and takes the default from another if p is it. It returns stages that an opportunity is or was in and that it
	// therefore did not remove.
	Put(ctx context.Context, t kernel.TenantID, p *Pipeline) ([]StageID, error)
}

// Stale says since when what is in a stage stagnates: at or before Since.
type Stale struct {
	Stage StageID
	Since time.Time
}

// OpportunityRepository keeps opportunities and their history. Deleted ones do not exist for it.
type OpportunityRepository interface {
	// Insert must give it an id and write it.
	Insert(ctx context.Context, t kernel.TenantID, x *Opportunity) error
	// Get must return the opportunities that exist and whose owner or customer lies within the scope, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...OpportunityID) ([]*Opportunity, error)
	// Update must write all columns of an opportunity whose customer is locked.
	Update(ctx context.Context, t kernel.TenantID, x *Opportunity) error
	// List must return w.Limit+1 opportunities at most, by id: see Opportunities.List. stale narrows to what stagnates.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f OpportunityFilter, stale []Stale, w kernel.Window) ([]*Opportunity, error)
	// Enter must write a row of history.
	Enter(ctx context.Context, t kernel.TenantID, m *StageMoved) error
	// History must return w.Limit+1 rows at most, by id.
	History(ctx context.Context, t kernel.TenantID, id OpportunityID, w kernel.Window) ([]StageMoved, error)
	// ActiveMember tells whether the user is an active member, and keeps it so until the end of the transaction.
	ActiveMember(ctx context.Context, t kernel.TenantID, user kernel.UserID) (bool, error)
	// ContactOf tells whether the customer has the contact.
	ContactOf(ctx context.Context, t kernel.TenantID, of customer.ID, contact customer.ContactID) (bool, error)
}

// QuoteRepository keeps quotes with their lines and fees. Deleted ones do not exist for it.
type QuoteRepository interface {
	// Insert must give it an id, and that as its root if it has none, and write it.
	Insert(ctx context.Context, t kernel.TenantID, q *Quote) error
	// Get must return the quotes that exist and whose owner or customer lies within the scope, with their lines.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...QuoteID) ([]*Quote, error)
	// Update must write all columns and lines of a quote whose customer is locked.
	Update(ctx context.Context, t kernel.TenantID, q *Quote) error
	// List must return w.Limit+1 quotes at most, by id, without lines: see Quotes.List.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f QuoteFilter, w kernel.Window) ([]*Quote, error)
	// Revisions must return all revisions of a quote, with their lines, in the order of the ids.
	Revisions(ctx context.Context, t kernel.TenantID, root QuoteID) ([]*Quote, error)
	// Accepted must count the accepted quotes of an opportunity.
	Accepted(ctx context.Context, t kernel.TenantID, of OpportunityID) (int, error)
	// Sent must return the sent quotes of an opportunity, expired or not, with their lines.
	Sent(ctx context.Context, t kernel.TenantID, of OpportunityID) ([]*Quote, error)
	// Over must make sent quotes whose last day was before today expired, at most a number of them: it locks their customers
	// in the order of their ids, and judges the quotes after that. It returns those, without lines.
	Over(ctx context.Context, t kernel.TenantID, today kernel.Date, now time.Time, atMost int) ([]*Quote, error)
}

// ContractRepository keeps contracts with their lines and plans.
type ContractRepository interface {
	// Insert must give it an id and write it with its lines.
	Insert(ctx context.Context, t kernel.TenantID, x *Contract) error
	// Get must return the contracts that exist and whose owner or customer lies within the scope, with lines and plans.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...ContractID) ([]*Contract, error)
	// Lock must lock the rows of contracts whose customers are locked, in the order of the ids: payments, plans and invoices
	// hold them.
	Lock(ctx context.Context, t kernel.TenantID, ids ...ContractID) error
	// Planned is Get with plans and without lines.
	Planned(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...ContractID) ([]*Contract, error)
	// Settle must write all columns of locked contracts and of their plans, which exist, and no lines.
	Settle(ctx context.Context, t kernel.TenantID, xs ...*Contract) error
	// AddLines must write the lines of a locked contract from the one of an index on: those before are there.
	AddLines(ctx context.Context, t kernel.TenantID, x *Contract, from int) error
	// Update must write all columns of a locked contract, and the lines of a draft.
	Update(ctx context.Context, t kernel.TenantID, x *Contract) error
	// PutPlans must write the plans of a locked contract in place of those that it has, and give ids to new ones. Nothing is
	// allocated to a plan that is left out.
	PutPlans(ctx context.Context, t kernel.TenantID, id ContractID, plans []Plan) error
	// OfQuote must return the contracts that were drafted from any of the quotes, with lines and plans.
	OfQuote(ctx context.Context, t kernel.TenantID, ids ...QuoteID) ([]*Contract, error)
	// List must return w.Limit+1 contracts at most, by id, without lines and plans: see Contracts.List.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f ContractFilter, w kernel.Window) ([]*Contract, error)
}
