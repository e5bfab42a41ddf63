package config

import "time"

// Queue is what the edge's queue may hold while the plant is away, section
// [edge.queue]; the bytes of telemetry are [edge] queue_max. Waveforms and telemetry
// beyond theirs are given up, oldest first, and declared. Findings and the audit are
// kept: theirs is where people are warned.
type Queue struct {
	TelemetryAge time.Duration
	Waveforms    int64 // bytes on disk
	WaveformsAge time.Duration
	Findings     int64
	FindingsAge  time.Duration
	AuditBytes   int64
	AuditAge     time.Duration
}

const (
	leastAge = time.Hour
	mostAge  = 10 * 365 * 24 * time.Hour
)

func (edge *table) queue() Queue {
	t := edge.table("queue")
	if t == nil {
		t = &table{document: edge.document, path: join(edge.path, "queue"), m: map[string]any{}}
	}
	defer t.close()
	const day = 24 * time.Hour
	return Queue{
		TelemetryAge: t.duration("telemetry_age", 30*day, leastAge, mostAge),
		Waveforms:    t.size("waveforms", 1e9, 16<<20),
		WaveformsAge: t.duration("waveforms_age", 7*day, leastAge, mostAge),
		Findings:     t.size("findings", 256<<20, 1<<20),
		FindingsAge:  t.duration("findings_age", 90*day, leastAge, mostAge),
		AuditBytes:   t.size("audit", 64<<20, 1<<20),
		AuditAge:     t.duration("audit_age", 90*day, leastAge, mostAge),
	}
}
