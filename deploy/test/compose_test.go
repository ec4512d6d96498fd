package deploy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"reauth/internal/config"
)

// composeFile is the part of the Compose specification that compose.yaml uses.
// Decoding is strict: a misspelt key is a fault here, where Docker may only be
// at hand elsewhere.
type composeFile struct {
	Name     string                    `json:"name"`
	Services map[string]composeService `json:"services"`
	Volumes  map[string]struct{}       `json:"volumes"`
	Hardened composeService            `json:"x-hardened"`
	Reauth   composeService            `json:"x-reauth"`
}

type composeService struct {
	Image string `json:"image"`
	Build *struct {
		Context    string `json:"context"`
		Dockerfile string `json:"dockerfile"`
		Target     string `json:"target"`
	} `json:"build"`
	Entrypoint  []string          `json:"entrypoint"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Profiles    []string          `json:"profiles"`
	DependsOn   map[string]struct {
		Condition string `json:"condition"`
	} `json:"depends_on"`
	Healthcheck *struct {
		Test        []string `json:"test"`
		Interval    string   `json:"interval"`
		Timeout     string   `json:"timeout"`
		StartPeriod string   `json:"start_period"`
		Retries     int      `json:"retries"`
	} `json:"healthcheck"`
	NetworkMode     string   `json:"network_mode"`
	Ports           []string `json:"ports"`
	Volumes         []string `json:"volumes"`
	Tmpfs           []string `json:"tmpfs"`
	Restart         string   `json:"restart"`
	StopGracePeriod string   `json:"stop_grace_period"`
	MemLimit        string   `json:"mem_limit"`
	ReadOnly        bool     `json:"read_only"`
	User            string   `json:"user"`
	CapDrop         []string `json:"cap_drop"`
	SecurityOpt     []string `json:"security_opt"`
}

func compose(t *testing.T) composeFile {
	t.Helper()
	var file composeFile
	if err := yaml.UnmarshalStrict(read(t, "deploy/compose.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// ours are the services that run what this repository builds.
func (f composeFile) ours() map[string]composeService {
	services := maps.Clone(f.Services)
	maps.DeleteFunc(services, func(_ string, s composeService) bool { return s.Build == nil })
	return services
}

func TestComposeServicesAreConfined(t *testing.T) {
	stages := dockerfile(t)
	user := stages[len(stages)-1].last("USER")
	file := compose(t)
	for name, s := range file.Services {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s keeps capabilities", name)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may gain privileges", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is open to the network: %s", name, port)
			}
		}
	}
	for name, s := range file.ours() {
		if !s.ReadOnly || s.User != user {
			t.Errorf("%s: read_only %t, user %q", name, s.ReadOnly, s.User)
		}
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	for name, s := range compose(t).Services {
		if s.Build == nil && !pinnedImage.MatchString(s.Image) {
			t.Errorf("%s runs %s, which may change under the same name", name, s.Image)
		}
	}
}

func TestComposeBuildsStagesThatExist(t *testing.T) {
	stages := dockerfile(t)
	for name, s := range compose(t).ours() {
		if !slices.ContainsFunc(stages, func(stage stage) bool { return stage.name == s.Build.Target }) {
			t.Errorf("%s is built from the stage %q", name, s.Build.Target)
		}
		if (s.Build.Target == "sandbox") != (name == "vendors") {
			t.Errorf("%s is built from the stage %q", name, s.Build.Target)
		}
	}
}

// TestComposeSettingsLoad: every variable is a setting, and together they are
// valid.
func TestComposeSettingsLoad(t *testing.T) {
	for name, s := range compose(t).ours() {
		if s.Build.Target != "production" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var environ []string
			for variable, value := range s.Environment {
				if !strings.HasPrefix(variable, "REAUTH_") && !strings.HasPrefix(variable, "AWS_") {
					t.Errorf("nothing reads %s", variable)
				}
				environ = append(environ, variable+"="+value)
			}
			if _, err := config.Load(config.Source{Environ: environ, Vendors: adapters}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestComposeConsumerReachesTheVendors: at the addresses and with the keys that
// the simulators were started with, and they reach its webhook.
func TestComposeConsumerReachesTheVendors(t *testing.T) {
	services := compose(t).Services
	flags := services["vendors"].Command
	value := func(flag string) string {
		i := slices.Index(flags, flag)
		if i < 0 || i+1 >= len(flags) {
			t.Fatalf("the sandbox is started without %s", flag)
		}
		return flags[i+1]
	}
	env := services["consumer"].Environment
	for variable, want := range map[string]string{
		"ARGOS__BASE_URL":                  "http://" + value("--argos") + "/v3",
		"ARGOS__API_KEY":                   value("--api-key"),
		"FACEKI__BASE_URL":                 "http://" + value("--faceki"),
		"FACEKI__LIMITS":                   value("--faceki-limit") + "/s",
		"CHECKOUT__BASE_URL":               "http://" + value("--checkout"),
		"CHECKOUT__TOKEN_URL":              "http://" + value("--checkout") + "/connect/token",
		"CHECKOUT__WEBHOOK__SIGNATURE_KEY": value("--checkout-webhook-key"),
	} {
		if got := env["REAUTH_VENDORS__"+variable]; got != want {
			t.Errorf("%s is %q for the consumer, and %q at the simulator", variable, got, want)
		}
	}
	webhook := "http://" + env["REAUTH_VENDORS__CHECKOUT__WEBHOOK__LISTEN"] + env["REAUTH_VENDORS__CHECKOUT__WEBHOOK__PATH"]
	if want := value("--checkout-webhook"); webhook != want {
		t.Errorf("the consumer listens at %s, the simulator calls %s", webhook, want)
	}
}

func TestComposeConsumerOutlivesItsGrace(t *testing.T) {
	stop, err := time.ParseDuration(compose(t).Services["consumer"].StopGracePeriod)
	if err != nil {
		t.Fatal(err)
	}
	defaults := config.Default()
	if grace := defaults.Shutdown.Grace; stop < grace+stopMargin {
		t.Errorf("the consumer is killed after %s; shutdown.grace is %s and %s more are needed", stop, grace, stopMargin)
	}
}

// TestComposeWaitsForWhatItNeeds: a service is waited for in a way that it can
// answer.
func TestComposeWaitsForWhatItNeeds(t *testing.T) {
	services := compose(t).Services
	for name, s := range services {
		for dependency, d := range s.DependsOn {
			other, ok := services[dependency]
			if !ok {
				t.Errorf("%s waits for %s, which is not there", name, dependency)
			}
			if d.Condition == "service_healthy" && other.Healthcheck == nil {
				t.Errorf("%s waits for the health of %s, which has no check", name, dependency)
			}
			if d.Condition == "service_completed_successfully" && other.Restart != "no" {
				t.Errorf("%s waits for the end of %s, which is restarted", name, dependency)
			}
		}
		if shared, ok := strings.CutPrefix(s.NetworkMode, "service:"); ok {
			if _, waits := s.DependsOn[shared]; !waits || len(s.Ports) > 0 {
				t.Errorf("%s lives in the network of %s: it must start after it and can't publish ports", name, shared)
			}
		}
	}
}

func TestComposePublishesTheOpsPort(t *testing.T) {
	defaults := config.Default()
	want := strings.TrimPrefix(defaults.Ops.Listen, ":")
	if _, err := strconv.Atoi(want); err != nil {
		t.Fatal(err)
	}
	services := compose(t).Services
	host := services[strings.TrimPrefix(services["consumer"].NetworkMode, "service:")]
	if !slices.Contains(host.Ports, "127.0.0.1:"+want+":"+want) {
		t.Errorf("published are %v, served is %s", host.Ports, want)
	}
}
