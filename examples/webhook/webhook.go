// Package webhook is a host that sends what happens in the CRM to a server of somebody else. The relay of the CRM brings the
// events, in order per subject and at least once; here they become signed HTTP requests.
//
// To read first: Sender.Send, which is a handler of the relay, and Run, the loop that only a host may start.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// The headers of a request. The signature is over the body, so that nobody else can send one.
const (
	SignatureHeader = "Crm-Signature" // sha256= and the HMAC of the body in hex
	EventHeader     = "Crm-Event"     // the event's id: the same one again is a repetition
)

// Sender sends events to one address.
type Sender struct {
	URL    string
	Secret []byte
	Client *http.Client
}

// Send posts an event. Anything but a 2xx is an error: the relay tries again later, and meanwhile holds back what happens to
// the same customer.
func (s *Sender) Send(ctx context.Context, e kernel.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, Sign(s.Secret, body))
	req.Header.Set(EventHeader, strconv.FormatInt(e.ID, 10))
	resp, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the status says enough
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// Sign is the signature of a body.
func Sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify is what the other side does before it believes a body.
func Verify(secret, body []byte, signature string) bool {
	return hmac.Equal([]byte(Sign(secret, body)), []byte(signature))
}

// Run delivers a tenant's events every so often until the context ends. Any number of processes may run it at once. What
// it is told about each round goes to the host's log.
func Run(ctx context.Context, c *crm.CRM, tenant crm.TenantID, s *Sender, every time.Duration, tell func(team.RelayReport, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		report, err := c.Team.Relay.Deliver(ctx, crm.System(tenant, "webhook"), s.Send, nil)
		if ctx.Err() != nil {
			return
		}
		tell(report, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
