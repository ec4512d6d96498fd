package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// manifests is everything under deploy/kubernetes, decoded.
type manifests struct {
	config         core.ConfigMap
	secret         core.Secret
	account        core.ServiceAccount
	deployment     apps.Deployment
	budget         policy.PodDisruptionBudget
	service        core.Service
	topics         batch.Job
	scaled         scaledObject
	scaledByLag    scaledObject
	authentication triggerAuthentication
}

// files names what each file decodes into, with its API version and kind.
func (m *manifests) files() map[string]struct {
	into any
	kind string
} {
	return map[string]struct {
		into any
		kind string
	}{
		"keda/scaledobject-lag.yaml.example": {&m.scaledByLag, "keda.sh/v1alpha1 ScaledObject"},
		"configmap.yaml":                     {&m.config, "v1 ConfigMap"},
		"secret.yaml.example":                {&m.secret, "v1 Secret"},
		"serviceaccount.yaml":                {&m.account, "v1 ServiceAccount"},
		"deployment.yaml":                    {&m.deployment, "apps/v1 Deployment"},
		"poddisruptionbudget.yaml":           {&m.budget, "policy/v1 PodDisruptionBudget"},
		"service.yaml":                       {&m.service, "v1 Service"},
		"topics-job.yaml":                    {&m.topics, "batch/v1 Job"},
		"keda/scaledobject.yaml":             {&m.scaled, "keda.sh/v1alpha1 ScaledObject"},
		"keda/triggerauthentication.yaml":    {&m.authentication, "keda.sh/v1alpha1 TriggerAuthentication"},
	}
}

// load decodes the manifests: an unknown, misspelt or repeated field, or a
// value of the wrong type, ends the test.
func load(t *testing.T) *manifests {
	t.Helper()
	var m manifests
	for name, f := range m.files() {
		content := read(t, "deploy/kubernetes/"+name)
		var typed struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal(content, &typed); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := typed.APIVersion + " " + typed.Kind; got != f.kind {
			t.Fatalf("%s is a %s, want %s", name, got, f.kind)
		}
		if err := decode(content, f.into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return &m
}

// decode goes by way of JSON and Kubernetes' own decoder, as kubectl and the
// API server do. The shorter way, decoding YAML into a type, would turn a bare
// 3000 into the text that the type wants, which the API server refuses to.
func decode(content []byte, into any) error {
	asJSON, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return err
	}
	unknown, err := json.UnmarshalStrict(asJSON, into)
	return errors.Join(append(unknown, err)...)
}

func TestEveryManifestIsChecked(t *testing.T) {
	folder := filepath.Join(root, "deploy/kubernetes")
	known := new(manifests).files()
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".md") {
			return err
		}
		if _, ok := known[path]; !ok {
			t.Errorf("no test knows deploy/kubernetes/%s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pods returns the pod templates by the object that makes them.
func (m *manifests) pods() map[string]core.PodTemplateSpec {
	return map[string]core.PodTemplateSpec{
		"Deployment": m.deployment.Spec.Template,
		"Job":        m.topics.Spec.Template,
	}
}

// consumer returns the Deployment's only container.
func (m *manifests) consumer(t *testing.T) core.Container {
	t.Helper()
	containers := m.deployment.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("the Deployment has %d containers", len(containers))
	}
	return containers[0]
}
