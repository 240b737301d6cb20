package sales

import (
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Texts of documents are notes about their customer: while that lies in a pool they are masked for every person, whoever owns
// the document (rules.md, While in the pool). This file is the one list of them; package customer has their names, for the
// trail.

// text is one of a document's texts: its JSON name, and where it is.
type text struct {
	name string
	at   *string
}

// document is what has texts. The repository sets masked where the customer lies in a pool; as a use case returns it, it tells
// that something is hidden.
type document interface {
	texts() []text
	masked() *bool
}

func (x *Opportunity) masked() *bool { return &x.Masked }
func (m *StageMoved) masked() *bool  { return &m.Masked }
func (q *Quote) masked() *bool       { return &q.Masked }
func (x *Contract) masked() *bool    { return &x.Masked }
func (p *Payment) masked() *bool     { return &p.Masked }

func (x *Opportunity) texts() []text {
	return []text{{"lost_reason", &x.LostReason}, {"remarks", &x.Remarks}}
}

func (m *StageMoved) texts() []text { return []text{{"lost_reason", &m.LostReason}} }

func (q *Quote) texts() []text {
	return []text{{"terms", &q.Terms}, {"remark", &q.Remark}, {"reject_reason", &q.RejectReason}, {"accepted_by", &q.AcceptedBy}}
}

func (x *Contract) texts() []text {
	all := []text{{"terms", &x.Terms}, {"remark", &x.Remark}, {"end_reason", &x.EndReason}}
	for i := range x.Plans {
		all = append(all, text{"note", &x.Plans[i].Note})
	}
	return all
}

func (p *Payment) texts() []text { return []text{{"remark", &p.Remark}} }

// Mask hides remarks and the reason of a loss. Name, amounts and dates stay.
func (x *Opportunity) Mask() { veil(x, nil) }

// Mask hides the reason of a loss.
func (m *StageMoved) Mask() { veil(m, nil) }

// Mask hides terms, remark, the reason of a rejection, and who said yes. Lines and amounts stay.
func (q *Quote) Mask() { veil(q, nil) }

// Mask hides terms, remark, the reason of its end, and the notes of its instalments. Lines and amounts stay.
func (x *Contract) Mask() { veil(x, nil) }

// Mask hides the remark.
func (p *Payment) Mask() { veil(p, nil) }

// Mask hides the remark, how the buyer is reached, and where its money is.
func (v *Invoice) Mask() {
	v.Remark, v.Masked = customer.MaskText(v.Remark), true
	v.Buyer.mask()
}

// veil hides texts, but for those that are as they were sent: who sent them knows them.
func veil(d, sent document) {
	var known []text
	if sent != nil {
		known = sent.texts()
	}
	*d.masked() = false
	for i, t := range d.texts() {
		if *t.at != "" && (i >= len(known) || *known[i].at != *t.at) {
			*t.at, *d.masked() = customer.MaskText(*t.at), true
		}
	}
}

// veilAll masks those of the documents whose customers lie in a pool, for every person; jobs of the host read them as they are.
func veilAll[D document](c *kernel.Call[Tx], found ...D) {
	for _, d := range found {
		veilSent(c, d, nil)
	}
}

// veilSent is veilAll of what a change returns.
func veilSent(c *kernel.Call[Tx], d, sent document) {
	if on := d.masked(); *on && !c.Rights.System {
		veil(d, sent)
	} else {
		*on = false
	}
}

// veilInvoices masks those of the invoices whose customers lie in a pool, for every person.
func veilInvoices(c *kernel.Call[Tx], found ...*Invoice) {
	for _, v := range found {
		if v.Masked = v.Masked && !c.Rights.System; v.Masked {
			v.Mask()
		}
	}
}

// whole refuses a document that was read masked.
func whole(d document) error {
	if *d.masked() {
		return kernel.Invalidf("masked", customer.Masked, "a masked record cannot be written: claim its customer first")
	}
	return nil
}

// sentBack refuses masked forms where the stored text is another: a form that was filled from a masked document must not write
// its marks over what they hide.
func sentBack(given, stored document) error {
	of := given.texts()
	for i, t := range stored.texts() {
		if i < len(of) && hides(*of[i].at, *t.at) {
			return kernel.Invalidf(t.name, customer.Masked, "this is its masked form: leave the field as it is stored, or claim the customer first")
		}
	}
	return nil
}

// hides tells that a text that was sent is the masked form of the stored one.
func hides(sent, stored string) bool {
	return stored != "" && sent != stored && sent == customer.MaskText(stored)
}
