package hmi

import (
	"context"
	"net/http"

	"millwright/hmi/account"
	"millwright/plant"
)

// Alerts is the desk that tells people of alarms.
type Alerts interface {
	// Roster is the newest revision; revision 0, empty, where none was saved.
	Roster(ctx context.Context) (plant.Roster, error)
	RosterAt(ctx context.Context, revision int64) (plant.Roster, error)
	// Revisions come newest first, without people, teams and routes.
	Revisions(ctx context.Context, limit int) ([]plant.Roster, error)
	// SaveRoster saves the next revision; r.Revision must be the newest.
	SaveRoster(ctx context.Context, r plant.Roster, who, note string) (plant.Roster, error)
	OnCall(ctx context.Context, at int64) ([]plant.OnCall, error)

	Messages(ctx context.Context, q plant.MessageQuery) (list []plant.Message, next string, err error)
	// Retry sends a message once more that was given up.
	Retry(ctx context.Context, id int64, who string) (plant.Message, error)
	Channels(ctx context.Context) ([]plant.ChannelStatus, error)
	// Test queues a message that only tests a channel.
	Test(ctx context.Context, channel, address, language, who string) (plant.Message, error)

	// Link looks at the link of a message and uses nothing.
	Link(ctx context.Context, token string) (plant.AckLink, error)
	// UseLink acknowledges as the link's person, once; Valid reports whether it did.
	UseLink(ctx context.Context, token string) (plant.AckLink, error)
}

func (s *Server) alertRoutes() []route {
	return part(s.Alerts != nil, "this works tells nobody of alarms: add the section [notify] to its configuration",
		get("/roster", s.roster),
		change(http.MethodPut, "/roster", account.Engineer, s.saveRoster),
		get("/roster/revisions", s.revisions),
		get("/roster/revisions/{id}", s.revision),
		get("/oncall", s.onCall),
		get("/messages", s.messages),
		change(http.MethodPost, "/messages/{id}/retry", account.Operator, s.retry),
		get("/channels", s.channels),
		change(http.MethodPost, "/channels/{name}/test", account.Engineer, s.testChannel),
	)
}
