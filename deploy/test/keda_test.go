package deploy

import (
	autoscaling "k8s.io/api/autoscaling/v2"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The parts of KEDA's types that the manifests use, written down from
// apis/keda/v1alpha1 of kedacore/keda v2.21.0. The module itself would bring
// seven hundred others. Decoding is strict, so a new field has to be added here
// on purpose.

type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		PollingInterval int32 `json:"pollingInterval"`
		MinReplicaCount int32 `json:"minReplicaCount"`
		MaxReplicaCount int32 `json:"maxReplicaCount"`
		Fallback        struct {
			FailureThreshold int32  `json:"failureThreshold"`
			Replicas         int32  `json:"replicas"`
			Behavior         string `json:"behavior"`
		} `json:"fallback"`
		Advanced struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior autoscaling.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []trigger `json:"triggers"`
	} `json:"spec"`
}

// trigger has values of text only, as KEDA does: a bare number or boolean in a
// manifest doesn't decode.
type trigger struct {
	Type              string            `json:"type"`
	Metadata          map[string]string `json:"metadata"`
	AuthenticationRef struct {
		Name string `json:"name"`
	} `json:"authenticationRef"`
}

type triggerAuthentication struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		SecretTargetRef []struct {
			Parameter string `json:"parameter"`
			Name      string `json:"name"`
			Key       string `json:"key"`
		} `json:"secretTargetRef"`
	} `json:"spec"`
}

// fallbackBehaviors are what KEDA accepts as spec.fallback.behavior.
var fallbackBehaviors = []string{"static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"}

// kafkaTriggerKeys are the metadata keys that the trigger of type kafka reads
// (pkg/scalers/kafka_scaler.go of KEDA v2.21.0, those in the trigger's order).
// Of any other key KEDA says nothing and takes the default: lagThreshhold
// would quietly be 10.
var kafkaTriggerKeys = map[string]bool{
	"bootstrapServers": true, "bootstrapServersFromEnv": true,
	"consumerGroup": true, "consumerGroupFromEnv": true,
	"topic": true, "topicFromEnv": true,
	"partitionLimitation":                true,
	"lagThreshold":                       true,
	"activationLagThreshold":             true,
	"offsetResetPolicy":                  true,
	"allowIdleConsumers":                 true,
	"excludePersistentLag":               true,
	"scaleToZeroOnInvalidOffset":         true,
	"limitToPartitionsWithLag":           true,
	"ensureEvenDistributionOfPartitions": true,
	"fullMetadata":                       true,
	"version":                            true,
	"tls":                                true,
	"unsafeSsl":                          true,
	"sasl":                               true,
	"saslTokenProvider":                  true,
	"awsRegion":                          true,
}

// prometheusTriggerKeys are those that the trigger of type prometheus reads
// (pkg/scalers/prometheus_scaler.go of KEDA v2.21.0).
var prometheusTriggerKeys = map[string]bool{
	"serverAddress": true, "query": true, "queryParameters": true, "threshold": true, "activationThreshold": true,
	"namespace": true, "customHeaders": true, "ignoreNullValues": true, "unsafeSsl": true, "awsRegion": true,
	"timeout": true, "identityOwner": true, "authModes": true,
}
