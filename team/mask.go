package team

import (
	"encoding/json"
	"strings"

	"github.com/openseas/crm/kernel"
)

// Mask renders the JSON of a change in its masked form. Package customer has it, which this package cannot name: both stand
// on one floor.
type Mask func(json.RawMessage) json.RawMessage

// entries masks what rows of the trail tell of records that lie in a pool, for every person. The repository has said which.
func (m Mask) entries(c *kernel.Call[Tx], found []kernel.AuditEntry) {
	for i := range found {
		e := &found[i]
		if e.Masked = e.Masked && !c.Rights.System; e.Masked {
			e.Before, e.After = m.change(e.Type, e.Before), m.change(e.Type, e.After)
		}
	}
}

func (m Mask) events(c *kernel.Call[Tx], found []kernel.Event) {
	for i := range found {
		m.event(c, &found[i])
	}
}

func (m Mask) event(c *kernel.Call[Tx], e *kernel.Event) {
	if e.Masked = e.Masked && !c.Rights.System; e.Masked {
		e.Data = m.change(e.Type, e.Data)
	}
}

// change masks one side of a change. What a host reported may say anything, anywhere: nothing of it is shown.
func (m Mask) change(event string, data json.RawMessage) json.RawMessage {
	if len(data) > 0 && strings.HasPrefix(event, HostPrefix) {
		return json.RawMessage(`"***"`)
	}
	return m(data)
}
