package hmi

import (
	"net/http"

	"millwright/hmi/account"
)

type healthBody struct {
	Status  string     `json:"status"`
	Version string     `json:"version"`
	Roles   []roleBody `json:"roles"`
}

type roleBody struct {
	Name   string  `json:"name"`
	State  string  `json:"state"`
	Reason *string `json:"reason"`
}

// health is open to everybody, so that a watchdog needs no account; what the
// parts are doing is told to users only.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	body := healthBody{Status: "ok", Version: s.Version, Roles: []roleBody{}}
	if s.Roles != nil {
		for _, role := range s.Roles() {
			if role.State != "running" {
				body.Status = "degraded"
			}
			if userOf(r).Name != "" {
				body.Roles = append(body.Roles, roleBody{role.Name, role.State, optional(role.Reason)})
			}
		}
	}
	return send(w, body)
}

type meBody struct {
	Name  string       `json:"name"`
	Role  account.Role `json:"role"`
	Login bool         `json:"login"`
	Can   []string     `json:"can"`
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	u := userOf(r)
	body := meBody{Name: u.Name, Role: u.Role, Login: !s.NoLogin, Can: []string{"read"}}
	if u.Role.Covers(account.Operator) {
		body.Can = append(body.Can, "ack", "label")
	}
	if u.Role.Covers(account.Engineer) {
		body.Can = append(body.Can, "roster", "models", "orders")
	}
	return send(w, body)
}
