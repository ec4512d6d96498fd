package deploy

import (
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
)

// TestPodsMeetTheRestrictedStandard follows the restricted Pod Security
// Standard, and adds the read-only root that it leaves open.
func TestPodsMeetTheRestrictedStandard(t *testing.T) {
	for name, pod := range load(t).pods() {
		t.Run(name, func(t *testing.T) {
			s := pod.Spec.SecurityContext
			if s == nil || !isTrue(s.RunAsNonRoot) || s.RunAsUser == nil || *s.RunAsUser == 0 {
				t.Error("may run as root")
			}
			if s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
				t.Error("has no seccomp profile")
			}
			if pod.Spec.HostNetwork || pod.Spec.HostPID || pod.Spec.HostIPC {
				t.Error("shares a namespace with its node")
			}
			for _, c := range pod.Spec.Containers {
				s := c.SecurityContext
				if s == nil {
					t.Fatalf("container %s has no security context", c.Name)
				}
				if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || isTrue(s.Privileged) {
					t.Errorf("container %s may gain privileges", c.Name)
				}
				if !isTrue(s.ReadOnlyRootFilesystem) {
					t.Errorf("container %s may write to its root", c.Name)
				}
				if s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
					t.Errorf("container %s keeps capabilities", c.Name)
				}
			}
			for _, v := range pod.Spec.Volumes {
				if v.ConfigMap == nil && v.Secret == nil && v.EmptyDir == nil {
					t.Errorf("volume %s is of a type that the standard may forbid", v.Name)
				}
			}
		})
	}
}

func TestPodsRunAsTheUserOfTheImage(t *testing.T) {
	stages := dockerfile(t)
	for name, pod := range load(t).pods() {
		s := pod.Spec.SecurityContext
		got := []int64{*s.RunAsUser, *s.RunAsGroup}
		if diff := cmp.Diff(userOf(t, stages[len(stages)-1]), got); diff != "" {
			t.Errorf("%s (-image +pod):\n%s", name, diff)
		}
	}
}

func TestPodsHaveNoTokenForTheCluster(t *testing.T) {
	m := load(t)
	for name, pod := range m.pods() {
		if pod.Spec.ServiceAccountName != m.account.Name {
			t.Errorf("%s runs as the account %q", name, pod.Spec.ServiceAccountName)
		}
		if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
			t.Errorf("%s gets a token that it has no use for", name)
		}
	}
}

// TestMemoryIsBounded: without a limit the runtime has nothing to derive its
// own from, and one leak takes the node along.
func TestMemoryIsBounded(t *testing.T) {
	for name, pod := range load(t).pods() {
		for _, c := range pod.Spec.Containers {
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() {
				t.Errorf("%s: container %s has no memory limit or request", name, c.Name)
			}
			if !c.Resources.Limits.Cpu().IsZero() {
				t.Errorf("%s: container %s has a CPU limit, which delays heartbeats", name, c.Name)
			}
		}
	}
}

// TestMountsStandApart: a runtime can't make the mount point of one volume
// inside another that is read-only.
func TestMountsStandApart(t *testing.T) {
	for name, pod := range load(t).pods() {
		for _, c := range pod.Spec.Containers {
			for _, inner := range c.VolumeMounts {
				if !inner.ReadOnly {
					t.Errorf("%s: %s is writable", name, inner.MountPath)
				}
				for _, outer := range c.VolumeMounts {
					if inner.Name != outer.Name && within(path.Clean(inner.MountPath), path.Clean(outer.MountPath)) {
						t.Errorf("%s: %s lies in the volume at %s", name, inner.MountPath, outer.MountPath)
					}
				}
			}
		}
	}
}

func TestVolumesNameWhatThereIs(t *testing.T) {
	m := load(t)
	for name, pod := range m.pods() {
		for _, v := range pod.Spec.Volumes {
			if v.ConfigMap != nil && v.ConfigMap.Name != m.config.Name {
				t.Errorf("%s mounts the ConfigMap %s", name, v.ConfigMap.Name)
			}
			if v.Secret != nil && v.Secret.SecretName != m.secret.Name {
				t.Errorf("%s mounts the Secret %s", name, v.Secret.SecretName)
			}
		}
	}
}

func TestDeploymentAndJobRunTheSameImage(t *testing.T) {
	m := load(t)
	if a, b := m.consumer(t).Image, m.topics.Spec.Template.Spec.Containers[0].Image; a != b {
		t.Errorf("the Deployment runs %s, the Job %s", a, b)
	}
}

func TestSelectorsFindTheConsumers(t *testing.T) {
	m := load(t)
	labels := m.deployment.Spec.Template.Labels
	selectors := map[string]map[string]string{
		"Deployment":          m.deployment.Spec.Selector.MatchLabels,
		"PodDisruptionBudget": m.budget.Spec.Selector.MatchLabels,
		"Service":             m.service.Spec.Selector,
	}
	for _, c := range m.deployment.Spec.Template.Spec.TopologySpreadConstraints {
		selectors["spread over "+c.TopologyKey] = c.LabelSelector.MatchLabels
	}
	for name, selector := range selectors {
		if diff := cmp.Diff(labels, selector); diff != "" {
			t.Errorf("%s (-labels +selector):\n%s", name, diff)
		}
		if matches(m.topics.Spec.Template.Labels, selector) {
			t.Errorf("%s takes the topics Job for a consumer", name)
		}
	}
}

// TestRolloutsAddBeforeTheyRemove: a partition always has an owner to go to.
func TestRolloutsAddBeforeTheyRemove(t *testing.T) {
	m := load(t)
	r := m.deployment.Spec.Strategy.RollingUpdate
	if r == nil || r.MaxUnavailable.IntValue() != 0 || r.MaxSurge.IntValue() != 1 {
		t.Errorf("the rolling update is %+v", r)
	}
	if m.deployment.Spec.Replicas != nil {
		t.Error("replicas are set: each apply would undo the autoscaler")
	}
	if u := m.budget.Spec.MaxUnavailable; u == nil || u.IntValue() != 1 || m.budget.Spec.MinAvailable != nil {
		t.Error("the disruption budget is not one pod at a time")
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// matches tells whether a selector finds an object with labels.
func matches(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}
