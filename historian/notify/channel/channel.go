// Package channel hands messages to what carries them to people: the plant's
// mail server, a modem by the spool of smstools, an ntfy server in the LAN, and
// whatever takes a signed webhook.
//
// A channel sends one message at a time and says how it went: nil is handed
// over, an error that is ErrPermanent no retry will mend, any other may pass.
// Each channel gives the far side the key of the message, so that a message
// that was handed over twice can be told from two messages.
package channel

import (
	"errors"
	"time"
)

// ErrPermanent marks errors that no retry mends: an address that the server
// refuses, a message that is too large. Ask for it with errors.Is.
var ErrPermanent = errors.New("will not pass however often it is tried")

// Permanent marks err as one that no retry mends; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

type permanent struct{ error }

func (p permanent) Unwrap() error        { return p.error }
func (p permanent) Is(target error) bool { return target == ErrPermanent }

// RetryError is a refusal for now by a server that said when to come back. Ask
// for it with errors.AsType.
type RetryError struct {
	After time.Duration // from now
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }
