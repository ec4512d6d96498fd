package event

// The default names of the topics. All but TopicSignals have the same number
// of partitions: whatever belongs to one request is on the same partition
// number of each.
const (
	TopicRequests = "faceauth.requests"
	TopicPriority = "faceauth.requests.priority"
	TopicResults  = "faceauth.results"
	TopicLedger   = "faceauth.ledger"
	TopicDead     = "faceauth.dead"
	TopicSignals  = "faceauth.signals"
)
