package deploy

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"

	"reauth/internal/config"
	"reauth/internal/event"
)

// adapters are the vendors that the shipped settings may enable.
var adapters = event.Vendors()

// settings loads the ConfigMap as the pod would: through internal/config, with
// the example Secret's files where the Secret is mounted. So every key, unit
// and bound is judged by the code that will read them.
func settings(t *testing.T, m *manifests) config.Config {
	t.Helper()
	mounted := t.TempDir()
	for name, value := range m.secret.StringData {
		if err := os.WriteFile(filepath.Join(mounted, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	content := strings.ReplaceAll(m.config.Data["config.yaml"], mountOf(t, m, "secrets").MountPath+"/", mounted+"/")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, v := range m.consumer(t).Env {
		environ = append(environ, v.Name+"="+v.Value)
	}
	c, err := config.Load(config.Source{File: file, Environ: environ, Vendors: adapters})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mountOf returns where the consumer mounts a volume.
func mountOf(t *testing.T, m *manifests, volume string) core.VolumeMount {
	t.Helper()
	mounts := m.consumer(t).VolumeMounts
	i := slices.IndexFunc(mounts, func(v core.VolumeMount) bool { return v.Name == volume })
	if i < 0 {
		t.Fatalf("the consumer does not mount %s", volume)
	}
	return mounts[i]
}

func TestShippedSettingsLeaveNoDoubt(t *testing.T) {
	c := settings(t, load(t))
	for _, w := range c.Warnings() {
		t.Error(w)
	}
}

// TestSecretsAreNeverInTheConfigMap: what the ConfigMap names is a file.
func TestSecretsAreNeverInTheConfigMap(t *testing.T) {
	m := load(t)
	for _, s := range config.Settings() {
		if !s.Secret {
			continue
		}
		name := s.Key[strings.LastIndex(s.Key, ".")+1:]
		for line := range strings.Lines(m.config.Data["config.yaml"]) {
			if strings.HasPrefix(strings.TrimSpace(line), name+":") {
				t.Errorf("the ConfigMap gives %s itself; give %s_file", s.Key, s.Key)
			}
		}
	}
}

func TestContainersReadTheMountedConfig(t *testing.T) {
	m := load(t)
	file := path.Join(mountOf(t, m, "config").MountPath, "config.yaml")
	for name, pod := range m.pods() {
		args := pod.Spec.Containers[0].Args
		i := slices.Index(args, "--config")
		if i < 0 || i+1 >= len(args) || args[i+1] != file {
			t.Errorf("%s runs with %q, want --config %s", name, args, file)
		}
		if diff := cmp.Diff(m.consumer(t).VolumeMounts, pod.Spec.Containers[0].VolumeMounts); diff != "" {
			t.Errorf("%s mounts otherwise than the Deployment (-Deployment +%s):\n%s", name, name, diff)
		}
	}
}

// stopMargin is what a stop may take beside shutdown.grace: before it the shards
// are handed over, after it the last results are written. internal/app's tests
// hold the same number against what it is made of.
const stopMargin = 25 * time.Second

func TestPodsOutliveTheGrace(t *testing.T) {
	m := load(t)
	given := time.Duration(*m.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if grace := settings(t, m).Shutdown.Grace; given < grace+stopMargin {
		t.Errorf("the pod is killed after %s; shutdown.grace is %s and %s more are needed", given, grace, stopMargin)
	}
}

func TestOpsPortIsTheOneServed(t *testing.T) {
	m := load(t)
	_, text, err := net.SplitHostPort(settings(t, m).Ops.Listen)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	want := core.ContainerPort{Name: "ops", ContainerPort: int32(port)}
	if diff := cmp.Diff([]core.ContainerPort{want}, m.consumer(t).Ports); diff != "" {
		t.Errorf("container ports (-served +declared):\n%s", diff)
	}
	if got := m.deployment.Spec.Template.Annotations["prometheus.io/port"]; got != text {
		t.Errorf("Prometheus is sent to port %s", got)
	}
	served := m.service.Spec.Ports[0]
	if served.TargetPort.String() != want.Name || served.Port != want.ContainerPort {
		t.Errorf("the Service serves %d to %s", served.Port, served.TargetPort.String())
	}
	stages := dockerfile(t)
	if got := stages[len(stages)-1].last("EXPOSE"); got != text {
		t.Errorf("the image exposes %s", got)
	}
}

func TestProbesAskWhatTheConsumerServes(t *testing.T) {
	m := load(t)
	c := m.consumer(t)
	// A replica that lost its brokers is not ready, and a restart would not
	// bring them back: only livez may lead to one.
	for name, probe := range map[string]struct {
		probe *core.Probe
		path  string
	}{
		"startup":   {c.StartupProbe, "/livez"},
		"liveness":  {c.LivenessProbe, "/livez"},
		"readiness": {c.ReadinessProbe, "/readyz"},
	} {
		if probe.probe == nil || probe.probe.HTTPGet == nil {
			t.Errorf("there is no %s probe", name)
			continue
		}
		if get := probe.probe.HTTPGet; get.Path != probe.path || get.Port.String() != "ops" || get.Scheme != "" {
			t.Errorf("the %s probe asks %s at %s", name, get.Path, get.Port.String())
		}
	}
	if got := m.deployment.Spec.Template.Annotations["prometheus.io/path"]; got != "/metrics" {
		t.Errorf("Prometheus asks for %s", got)
	}
}

func TestMemoryHoldsTheSelfies(t *testing.T) {
	m := load(t)
	limits := m.consumer(t).Resources.Limits
	limit := limits.Memory().Value()
	if selfies := int64(settings(t, m).Selfies.MaxMemory); limit < 4*selfies {
		t.Errorf("%d bytes are too few for selfies of %d", limit, selfies)
	}
}

func TestScalingFitsThePartitions(t *testing.T) {
	m := load(t)
	for _, scaled := range []scaledObject{m.scaled, m.scaledByLag} {
		s := scaled.Spec
		if s.ScaleTargetRef.Name != m.deployment.Name {
			t.Errorf("scales %s", s.ScaleTargetRef.Name)
		}
		if partitions := settings(t, m).Kafka.Partitions; int(s.MaxReplicaCount) > partitions {
			t.Errorf("up to %d replicas for %d partitions", s.MaxReplicaCount, partitions)
		}
		if s.MinReplicaCount < 1 || s.MinReplicaCount > s.MaxReplicaCount || s.Fallback.Replicas < 1 {
			t.Errorf("may go down to %d (%d when what is wanted is unknown)", s.MinReplicaCount, s.Fallback.Replicas)
		}
		if !slices.Contains(fallbackBehaviors, s.Fallback.Behavior) {
			t.Errorf("fallback behaviour %q", s.Fallback.Behavior)
		}
	}
}

// TestScalersDifferInTheirTriggersOnly: either may be applied in place of the
// other.
func TestScalersDifferInTheirTriggersOnly(t *testing.T) {
	m := load(t)
	wanted, byLag := m.scaled, m.scaledByLag
	wanted.Spec.Triggers, byLag.Spec.Triggers = nil, nil
	if diff := cmp.Diff(wanted, byLag); diff != "" {
		t.Errorf("scaling (-by what is wanted +by lag):\n%s", diff)
	}
}

// TestReplicasFollowWhatIsWanted: one trigger, as the autoscaler takes the highest
// of several, and the value itself, whatever the number of replicas.
func TestReplicasFollowWhatIsWanted(t *testing.T) {
	triggers := load(t).scaled.Spec.Triggers
	if len(triggers) != 1 || triggers[0].Type != "prometheus" {
		t.Fatalf("triggers are %+v, want one of Prometheus", triggers)
	}
	metadata := triggers[0].Metadata
	for key := range metadata {
		if !prometheusTriggerKeys[key] {
			t.Errorf("KEDA does not know the key %s", key)
		}
	}
	if metadata["query"] != "max(reauth_replicas_wanted)" || metadata["threshold"] != "1" || metadata["ignoreNullValues"] != "false" {
		t.Errorf("asks for %v", metadata)
	}
	if !strings.Contains(string(read(t, "internal/pipeline/scaling.go")), `"reauth_replicas_wanted"`) {
		t.Error("no replica reports what the trigger asks for")
	}
}

// TestTriggersWatchTheTopicsThatAreConsumed holds each trigger against the
// settings, and its keys against those that KEDA reads.
func TestTriggersWatchTheTopicsThatAreConsumed(t *testing.T) {
	m := load(t)
	kafka := settings(t, m).Kafka
	wanted := []string{kafka.Topics.Requests}
	if kafka.Topics.Priority != "" {
		wanted = append(wanted, kafka.Topics.Priority)
	}
	var watched []string
	for _, trigger := range m.scaledByLag.Spec.Triggers {
		watched = append(watched, trigger.Metadata["topic"])
		for key := range trigger.Metadata {
			if !kafkaTriggerKeys[key] {
				t.Errorf("KEDA does not know the key %s", key)
			}
		}
		want := maps.Clone(trigger.Metadata)
		maps.Copy(want, map[string]string{
			"bootstrapServers":  strings.Join(kafka.Brokers, ","),
			"consumerGroup":     kafka.Group,
			"offsetResetPolicy": "earliest",
			"tls":               map[bool]string{true: "enable", false: "disable"}[kafka.TLS.Enabled],
			"sasl":              kedaMechanisms[kafka.SASL.Mechanism],
		})
		if diff := cmp.Diff(want, trigger.Metadata); diff != "" {
			t.Errorf("trigger (-settings +metadata):\n%s", diff)
		}
		if trigger.Type != "kafka" || trigger.AuthenticationRef.Name != m.authentication.Name {
			t.Errorf("trigger of type %s with the log-in %s", trigger.Type, trigger.AuthenticationRef.Name)
		}
		if lag, err := strconv.Atoi(trigger.Metadata["lagThreshold"]); err != nil || lag < 1 {
			t.Errorf("lagThreshold is %q", trigger.Metadata["lagThreshold"])
		}
		// Brokers of version 4 answer no client older than 2.1 (KIP-896).
		var major, minor int
		version := trigger.Metadata["version"]
		if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major < 2 || major == 2 && minor < 1 {
			t.Errorf("speaks the protocol of Kafka %q", version)
		}
	}
	if diff := cmp.Diff(wanted, watched); diff != "" {
		t.Errorf("topics (-consumed +watched):\n%s", diff)
	}
}

// kedaMechanisms are KEDA's words for our SASL mechanisms.
var kedaMechanisms = map[string]string{
	config.MechanismNone:        "none",
	config.MechanismPlain:       "plaintext",
	config.MechanismSCRAMSHA256: "scram_sha256",
	config.MechanismSCRAMSHA512: "scram_sha512",
}

func TestAutoscalerLogsInAsTheConsumer(t *testing.T) {
	m := load(t)
	sasl := settings(t, m).Kafka.SASL
	want := map[string]string{"username": sasl.Username, "password": sasl.Password.Reveal()}
	got := map[string]string{}
	for _, ref := range m.authentication.Spec.SecretTargetRef {
		if ref.Name != m.secret.Name {
			t.Errorf("%s comes from the Secret %s", ref.Parameter, ref.Name)
		}
		got[ref.Parameter] = m.secret.StringData[ref.Key]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log-in (-settings +KEDA):\n%s", diff)
	}
}
