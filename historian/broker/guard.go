package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	"millwright/plant"
)

// guard lets clients in, and ends the connections of those that may not be there
// any more. It is asked by the server at every CONNECT.
type guard struct {
	log *slog.Logger

	accounts atomic.Pointer[accounts]

	mu    sync.Mutex         // guards what follows
	there map[uint64]visitor // by the server's number of the connection
}

// accounts is one state of the users.
type accounts struct {
	users  []User // as they were read
	byName map[string]*account
	byCert map[string]*account // of those that have certificates only
	owned  map[string]bool     // client ids that belong to one user
}

type account struct {
	User
	hashes       []string // of the password; none: a certificate alone
	certificates []string // without colons
	server       *server.User
}

// visitor is what a connection was let in with.
type visitor struct {
	name, role, group, node string
	hash, certificate       string // empty: not asked for
}

// newAccounts makes the accounts of users. Those that were the same before (nil:
// none) keep the hash that their connections were let in with.
func newAccounts(users []User, before *accounts) (*accounts, error) {
	a := &accounts{users: users, byName: map[string]*account{}, byCert: map[string]*account{}, owned: map[string]bool{}}
	if err := apart(users); err != nil {
		return nil, err
	}
	for _, u := range users {
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
		x := &account{User: u, hashes: hashes(u.Password)}
		switch {
		case before.has(u):
			x.hashes = before.byName[u.Name].hashes
		case len(x.hashes) == 0 && u.Password != "":
			// A comparison with a hash takes the same time whatever is shown.
			h, err := HashPassword(u.Password)
			if err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Name, err)
			}
			x.hashes = hashes(h)[:1]
		}
		for _, c := range u.Certificates {
			f, err := fingerprint(c)
			if err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Name, err)
			}
			x.certificates = append(x.certificates, f)
			if len(x.hashes) == 0 {
				a.byCert[f] = x
			}
		}
		x.server = &server.User{Username: u.Name, Permissions: u.permissions()}
		a.byName[u.Name] = x
		if id := u.clientID(); id != "" {
			a.owned[id] = true
		}
	}
	return a, nil
}

func (a *accounts) has(u User) bool {
	return a != nil && a.byName[u.Name] != nil && reflect.DeepEqual(a.byName[u.Name].User, u)
}

// set takes other users from now on.
func (g *guard) set(a *accounts) { g.accounts.Store(a) }

// Check is asked about a client that has said CONNECT.
func (g *guard) Check(c server.ClientAuthentication) bool {
	var shown string
	if tls := c.GetTLSConnectionState(); tls != nil && len(tls.PeerCertificates) > 0 {
		shown, _ = fingerprint(plant.Fingerprint(tls.PeerCertificates[0].Raw))
	}
	opts := c.GetOpts()
	x, v, err := g.accounts.Load().admit(opts.Username, opts.Password, shown)
	if err == nil {
		err = g.accounts.Load().mayBe(x, c)
	}
	if err != nil {
		g.log.Debug("client refused", "user", opts.Username, "address", c.RemoteAddress(), "err", err)
		return false
	}
	c.RegisterUser(x.server)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.there[c.GetID()] = v
	return true
}

var (
	errUnknown     = errors.New("no such user")
	errPassword    = errors.New("wrong password")
	errCertificate = errors.New("not with this certificate")
	errClientID    = errors.New("the client id is another's")
)

// admit finds the account of who shows a name, a password and the fingerprint of a
// certificate, each of which may be empty.
func (a *accounts) admit(name, password, shown string) (*account, visitor, error) {
	x := a.byName[name]
	if name == "" && shown != "" {
		x = a.byCert[shown]
	}
	if x == nil {
		return nil, visitor{}, errUnknown
	}
	v := visitor{name: x.Name, role: string(x.Role), group: x.Group, node: x.Node}
	if len(x.certificates) > 0 {
		if v.certificate = shown; !slices.Contains(x.certificates, shown) {
			return nil, v, errCertificate
		}
	}
	if len(x.hashes) > 0 {
		i := slices.IndexFunc(x.hashes, func(h string) bool { return matches(h, password) })
		if i < 0 {
			return nil, v, errPassword
		}
		v.hash = x.hashes[i]
	}
	return x, v, nil
}

// mayBe says whether the account may have the client's MQTT client id. The server
// tells that in its text about the client only.
func (a *accounts) mayBe(x *account, c server.ClientAuthentication) error {
	text := fmt.Sprint(c)
	i := strings.LastIndex(text, ` - "`)
	if i < 0 {
		return errClientID
	}
	id, err := strconv.Unquote(text[i+len(` - `):])
	if err != nil || a.owned[id] && id != x.clientID() {
		return errClientID
	}
	return nil
}

// stays reports whether somebody who was let in before would be today.
func (a *accounts) stays(v visitor) bool {
	x := a.byName[v.name]
	return x != nil && string(x.Role) == v.role && x.Group == v.group && x.Node == v.node &&
		(len(x.certificates) == 0 || slices.Contains(x.certificates, v.certificate)) &&
		(len(x.hashes) == 0 || slices.Contains(x.hashes, v.hash))
}

// sweep ends the connections of those that would not be let in today, and forgets
// those that have gone.
func (g *guard) sweep(srv *server.Server) {
	a := g.accounts.Load()
	var out []uint64
	g.mu.Lock()
	for id, v := range g.there {
		switch {
		case srv.GetClient(id) == nil:
			delete(g.there, id)
		case !a.stays(v):
			out = append(out, id)
			g.log.Warn("connection ended: the user may not be here any more", "user", v.name)
		}
	}
	g.mu.Unlock()
	for _, id := range out {
		_ = srv.DisconnectClientByID(id) // it has gone by itself meanwhile
	}
}

// renew reads the users again and takes them where they are others. What cannot be
// read changes nothing.
func (g *guard) renew(load func() ([]User, error)) error {
	users, err := load()
	if err != nil {
		return err
	}
	if reflect.DeepEqual(users, g.accounts.Load().users) {
		return nil
	}
	a, err := newAccounts(users, g.accounts.Load())
	if err != nil {
		return err
	}
	g.set(a)
	g.log.Info("users read again", "users", len(users))
	return nil
}
