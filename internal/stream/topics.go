package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// topicSettings are the settings that DescribeTopics reports and CreateTopics
// compares.
var topicSettings = []string{"cleanup.policy", "max.message.bytes", "message.timestamp.type", "min.insync.replicas", "retention.bytes", "retention.ms"}

// Topic is a topic as it should be.
type Topic struct {
	Name string
	// Partitions is at least 1.
	Partitions int
	// Replication is the number of replicas; zero means the broker's default.
	Replication int
	// Config holds topic settings by Kafka's names; what is absent is left to
	// the broker's default and not compared.
	Config map[string]string
}

// TopicStatus is what CreateTopics found or did.
type TopicStatus struct {
	Name string
	// Created tells that the topic was missing and has been created.
	Created bool
	// Differences is how an existing topic differs; it is left as it is.
	Differences []Difference
}

// Difference is one property of a topic that is not as asked for.
type Difference struct {
	// Property is a setting's name, "partitions" or "replication".
	Property   string
	Want, Have string
}

// TopicInfo is a topic as it is.
type TopicInfo struct {
	Name        string
	Partitions  int
	Replication int
	// Config holds cleanup.policy, max.message.bytes, message.timestamp.type,
	// min.insync.replicas, retention.bytes and retention.ms as they are in force,
	// defaults included.
	Config map[string]string
}

// CreateTopics creates the topics that are missing and tells how the existing
// ones differ, in the order asked for. It never alters a topic, so it can be run
// at any time and again. On an error the topics created so far stay.
func (c *Client) CreateTopics(ctx context.Context, topics []Topic) ([]TopicStatus, error) {
	names := make([]string, len(topics))
	for i, topic := range topics {
		if topic.Name == "" || topic.Partitions < 1 || topic.Replication < 0 {
			return nil, fmt.Errorf("creating topic %q: it needs a name, at least one partition, and a replication that is not negative", topic.Name)
		}
		names[i] = topic.Name
	}
	existing, err := c.existing(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("creating topics: %w", err)
	}
	var missing []kafka.TopicConfig
	for _, topic := range topics {
		if _, ok := existing[topic.Name]; !ok {
			missing = append(missing, topic.request())
		}
	}
	lost, err := c.create(ctx, missing)
	if err != nil {
		return nil, fmt.Errorf("creating topics: %w", err)
	}
	if len(lost) > 0 {
		// Somebody else created these at the same moment.
		theirs, err := c.DescribeTopics(ctx, lost...)
		if err != nil {
			return nil, fmt.Errorf("creating topics: %w", err)
		}
		maps.Copy(existing, theirs)
	}
	statuses := make([]TopicStatus, len(topics))
	for i, topic := range topics {
		info, existed := existing[topic.Name]
		statuses[i] = TopicStatus{Name: topic.Name, Created: !existed}
		if existed {
			statuses[i].Differences = topic.compare(info)
		}
	}
	return statuses, nil
}

// DescribeTopics returns the named topics by name. A missing one is an error
// that wraps ErrUnknownTopic and names all that are missing.
func (c *Client) DescribeTopics(ctx context.Context, names ...string) (map[string]TopicInfo, error) {
	infos, err := c.existing(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("describing topics: %w", err)
	}
	if err := missingFault(infos, names); err != nil {
		return nil, fmt.Errorf("describing topics: %w", err)
	}
	return infos, nil
}

// existing returns those of the named topics that exist.
func (c *Client) existing(ctx context.Context, names []string) (map[string]TopicInfo, error) {
	infos, err := c.sizes(ctx, names)
	if err != nil {
		return nil, err
	}
	return infos, c.describeSettings(ctx, infos)
}

// sizes is existing without the settings.
func (c *Client) sizes(ctx context.Context, names []string) (map[string]TopicInfo, error) {
	if err := c.known(names...); err != nil {
		return nil, err
	}
	answer, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("asking for metadata: %w", err)
	}
	infos := make(map[string]TopicInfo, len(names))
	for _, topic := range answer.Topics {
		switch {
		case topic.Error == nil, errors.Is(topic.Error, kafka.LeaderNotAvailable):
			info := TopicInfo{Name: topic.Name, Partitions: len(topic.Partitions)}
			if len(topic.Partitions) > 0 {
				info.Replication = len(topic.Partitions[0].Replicas)
			}
			infos[topic.Name] = info
		case errors.Is(topic.Error, kafka.UnknownTopicOrPartition):
		default:
			return nil, fmt.Errorf("asking for metadata of %s: %w", topic.Name, topic.Error)
		}
	}
	return infos, nil
}

func (c *Client) describeSettings(ctx context.Context, infos map[string]TopicInfo) error {
	if len(infos) == 0 {
		return nil
	}
	request := &kafka.DescribeConfigsRequest{}
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		request.Resources = append(request.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: topicSettings,
		})
	}
	answer, err := c.kafka.DescribeConfigs(ctx, request)
	if err != nil {
		return fmt.Errorf("asking for topic settings: %w", err)
	}
	for _, resource := range answer.Resources {
		if resource.Error != nil {
			return fmt.Errorf("asking for the settings of %s: %w", resource.ResourceName, resource.Error)
		}
		info := infos[resource.ResourceName]
		info.Config = make(map[string]string, len(topicSettings))
		for _, entry := range resource.ConfigEntries {
			info.Config[entry.ConfigName] = entry.ConfigValue
		}
		infos[resource.ResourceName] = info
	}
	return nil
}

// create creates the topics and returns the names of those that existed all the
// same.
func (c *Client) create(ctx context.Context, topics []kafka.TopicConfig) (lost []string, err error) {
	if len(topics) == 0 {
		return nil, nil
	}
	answer, err := c.kafka.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, topic := range topics {
		switch err := answer.Errors[topic.Topic]; {
		case err == nil:
		case errors.Is(err, kafka.TopicAlreadyExists):
			lost = append(lost, topic.Topic)
		default:
			faults = append(faults, fmt.Errorf("%s: %w", topic.Topic, err))
		}
	}
	return lost, errors.Join(faults...)
}

func (t Topic) request() kafka.TopicConfig {
	config := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
	if t.Replication == 0 {
		config.ReplicationFactor = -1
	}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		config.ConfigEntries = append(config.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: t.Config[name]})
	}
	return config
}

func (t Topic) compare(have TopicInfo) []Difference {
	var differences []Difference
	differ := func(property, want, have string) {
		if want != have {
			differences = append(differences, Difference{property, want, have})
		}
	}
	differ("partitions", strconv.Itoa(t.Partitions), strconv.Itoa(have.Partitions))
	if t.Replication > 0 {
		differ("replication", strconv.Itoa(t.Replication), strconv.Itoa(have.Replication))
	}
	for _, name := range topicSettings {
		if want, ok := t.Config[name]; ok {
			differ(name, want, have.Config[name])
		}
	}
	return differences
}
