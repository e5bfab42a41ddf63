package sparkplug

// Names of metrics that mean something to Millwright. FORMAT.md says where each
// one stands.
const (
	MetricBdSeq   = "bdSeq"
	MetricRebirth = "Node Control/Rebirth"

	MetricQueueVersion = "Millwright/Queue/Version"
	MetricQueueEpoch   = "Millwright/Queue/Epoch"
	MetricQueueRecord  = "Millwright/Queue/Record"
	MetricQueueOldest  = "Millwright/Queue/Oldest"

	MetricQueueOpenings = "Millwright/Queue/Openings"

	MetricAckHost    = "Millwright/Ack/Host"
	MetricAckEpoch   = "Millwright/Ack/Epoch"
	MetricAckRecords = "Millwright/Ack/Records"

	MetricFinding = "Millwright/Finding"
	MetricGaps    = "Millwright/Gaps"
	MetricAssets  = "Millwright/Assets"
	MetricStatus  = "Millwright/Status"
	MetricSeal    = "Millwright/Seal"

	MetricAccounts = "Millwright/Accounts"

	// Reserved is the prefix that no tag path may have.
	Reserved = "Millwright/"
)

// QueueVersion is the version of the acknowledgement extension.
const QueueVersion = 1
