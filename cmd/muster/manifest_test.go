package main

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/rendezvous"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// decoded is a manifest as Kubernetes reads it, with nothing unknown or twice.
type decoded struct {
	secret  *core.Secret // nil: none was printed
	service core.Service
	job     batch.Job
}

func decode(t *testing.T, text string) (d decoded) {
	t.Helper()
	kinds := []string{"Service", "Job"}
	into := []any{&d.service, &d.job}
	documents := strings.Split(text, "\n---\n")
	if len(documents) == 3 {
		d.secret = new(core.Secret)
		kinds, into = slices.Insert(kinds, 0, "Secret"), slices.Insert(into, 0, any(d.secret))
	}
	if len(documents) != len(into) {
		t.Fatalf("%d documents, want %d\n%s", len(documents), len(into), text)
	}
	for i, document := range documents {
		if err := yaml.UnmarshalStrict([]byte(document), into[i]); err != nil {
			t.Fatalf("%s: %v\n%s", kinds[i], err, document)
		}
		if !strings.Contains(document, "kind: "+kinds[i]+"\n") {
			t.Errorf("document %d is no %s:\n%s", i, kinds[i], document)
		}
	}
	return d
}

// in returns the environment of the pod with this index, as the kubelet makes it.
func (d *decoded) in(t *testing.T, index int) map[string]string {
	t.Helper()
	env := map[string]string{"JOB_COMPLETION_INDEX": strconv.Itoa(index)}
	for _, e := range d.job.Spec.Template.Spec.Containers[0].Env {
		value := e.Value
		if e.ValueFrom != nil {
			switch field := e.ValueFrom.FieldRef.FieldPath; field {
			case "metadata.annotations['" + batch.JobCompletionIndexAnnotation + "']":
				value = strconv.Itoa(index)
			case "metadata.labels['" + batch.ControllerUidLabel + "']":
				value = "1f2e3d4c-0000-4000-8000-000000000000"
			default:
				t.Errorf("%s comes from %s, which a pod of a Job does not have", e.Name, field)
			}
		}
		if _, twice := env[e.Name]; twice && e.Name != "JOB_COMPLETION_INDEX" {
			t.Errorf("%s is set twice", e.Name)
		}
		env[e.Name] = value
	}
	return env
}

func TestAManifestIsWhatKubernetesTakes(t *testing.T) {
	odd := `a "b" 'c' \ $(X) # : - {} ` + "\té\u2028\n end"
	for _, line := range [][]string{
		{"-n", "16", "--image", "registry.local:5000/solver:3"},
		{"-n", "1", "--image", "solver@sha256:0123", "--name", "heat-2", "--namespace", "science"},
		{"-n", "128", "--image", "i", "--cpus", "500m", "--memory", "2Gi", "--", "/solver", "-n", "10", odd, "", "null", "0x10", "yes"},
		{"-n", "3", "--image", "i", "--cpus", "1.5", "-x", "ODD=" + odd, "-x", "EMPTY=", "--secret", "mine",
			"--start-timeout", "90s", "--on-failure", "return"},
	} {
		l, err := parseManifest(append([]string{"kubernetes"}, line...))
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		d := decode(t, l.yaml("cafe"))
		job, pod := &d.job.Spec, &d.job.Spec.Template.Spec
		c := &pod.Containers[0]
		for what, ok := range map[string]bool{
			"names": d.service.Name == l.name && d.job.Name == l.name && d.job.Namespace == l.namespace && d.service.Namespace == l.namespace,
			"one rank, one pod, once": *job.Completions == int32(l.ranks) && *job.Parallelism == int32(l.ranks) &&
				*job.CompletionMode == batch.IndexedCompletion && *job.BackoffLimit == 0 && pod.RestartPolicy == core.RestartPolicyNever,
			"image and command": c.Image == l.image && slices.Equal(c.Command, l.command) && len(c.Args) == 0,
			"no privileges": *pod.SecurityContext.RunAsNonRoot && *pod.SecurityContext.RunAsUser != 0 && *c.SecurityContext.ReadOnlyRootFilesystem &&
				!*c.SecurityContext.AllowPrivilegeEscalation && reflect.DeepEqual(c.SecurityContext.Capabilities.Drop, []core.Capability{"ALL"}) &&
				pod.SecurityContext.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault && !*pod.AutomountServiceAccountToken,
			"the time to end": *pod.TerminationGracePeriodSeconds > 0,
			"headless":        d.service.Spec.ClusterIP == core.ClusterIPNone && d.service.Spec.PublishNotReadyAddresses,
			"selector":        reflect.DeepEqual(d.service.Spec.Selector, map[string]string{batch.JobNameLabel: l.name}),
			"requests are limits": reflect.DeepEqual(c.Resources.Requests, c.Resources.Limits) &&
				(l.cpus == "" || c.Resources.Limits.Cpu().String() == map[string]string{"500m": "500m", "1.5": "1500m"}[l.cpus]) &&
				(l.memory == "" || c.Resources.Limits.Memory().Value() == 2<<30),
		} {
			if !ok {
				t.Errorf("%q: %s: not as it should be in\n%s", line, what, l.yaml("cafe"))
			}
		}

		// The name by which rank 0 is known is that of the pod with index 0.
		env := d.in(t, 2)
		if want := fmt.Sprintf("%s-0.%s:%d", d.job.Name, pod.Subdomain, c.Ports[0].ContainerPort); pod.Subdomain != d.service.Name || env[rendezvous.EnvRendezvous] != want || d.service.Spec.Ports[0].Port != c.Ports[0].ContainerPort {
			t.Errorf("%q: rank 0 is %s, want %s", line, env[rendezvous.EnvRendezvous], want)
		}

		// The token is where the ranks look, and its group can read it.
		volume := pod.Volumes[slices.IndexFunc(pod.Volumes, func(v core.Volume) bool { return v.Secret != nil })]
		mount := c.VolumeMounts[slices.IndexFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == volume.Name })]
		secret := l.secret
		if secret == "" {
			secret = d.secret.Name
			if d.secret.StringData["token"] != "cafe" || len(d.secret.StringData)+len(d.secret.Data) != 1 {
				t.Errorf("%q: the Secret holds %v, want the token alone", line, d.secret.StringData)
			}
		} else if d.secret != nil {
			t.Errorf("%q: a Secret is printed beside the one that exists", line)
		}
		if volume.Secret.SecretName != secret || *volume.Secret.DefaultMode != 0o440 || pod.SecurityContext.FSGroup == nil ||
			!mount.ReadOnly || env[rendezvous.EnvTokenFile] != path.Join(mount.MountPath, "token") {
			t.Errorf("%q: the token's volume is %+v at %+v", line, volume.Secret, mount)
		}

		// What the ranks make of it.
		for _, index := range []int{0, l.ranks - 1} {
			env := d.in(t, index)
			p, err := rendezvous.Find(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
			switch {
			case err != nil:
				t.Errorf("%q: pod %d: %v", line, index, err)
			case l.ranks == 1 && p != nil:
				t.Errorf("%q: a single pod is rank %d of %d", line, p.Rank, p.Size)
			case l.ranks > 1 && (p == nil || p.Rank != index || p.Size != l.ranks):
				t.Errorf("%q: pod %d is %+v", line, index, p)
			}
			for _, kv := range l.env {
				name, value, _ := strings.Cut(kv, "=")
				if env[name] != value {
					t.Errorf("%q: %s is %q, want %q", line, name, env[name], value)
				}
			}
		}
	}
}

func TestEachManifestHasATokenOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	for range 3 {
		var out, errs strings.Builder
		if code := manifest([]string{"kubernetes", "-n", "2", "--image", "i"}, &out, &errs); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		token := decode(t, out.String()).secret.StringData["token"]
		if len(token) != 64 || seen[token] {
			t.Errorf("token %q: of %d characters, or seen before", token, len(token))
		}
		seen[token] = true
	}
}

func TestWhatIsNoManifestIsSaid(t *testing.T) {
	for line, want := range map[string]string{
		"":                                           "no cluster named; say muster manifest kubernetes -n N --image IMAGE",
		"nomad -n 2":                                 `"nomad": expected kubernetes`,
		"-n 2 kubernetes":                            `expected kubernetes before the flags; say muster manifest "kubernetes" …`,
		"kubernetes --image i":                       "no number of ranks; say -n N",
		"kubernetes -n 2":                            "no image; say --image IMAGE",
		"kubernetes -n 0 --image i":                  `-n: "0": expected a number of ranks, 1 to 65536`,
		"kubernetes -n 2 --image i\x01":              "--image: \"i\\x01\": expected the name of an image",
		"kubernetes -n 2 --image i --name Heat":      `--name: "Heat": expected a name of small letters`,
		"kubernetes -n 2 --image i --name -a":        `--name: "-a": expected a name of small letters`,
		"kubernetes -n 2 --image i --cpus two":       `--cpus: "two": expected processors`,
		"kubernetes -n 2 --image i --memory 2GB":     `--memory: "2GB": expected bytes`,
		"kubernetes -n 2 --image i -x A":             `-x: "A": expected NAME=VALUE`,
		"kubernetes -n 2 --image i -x 1A=2":          `-x: "1A=2": expected NAME=VALUE`,
		"kubernetes -n 2 --image i -x MUSTER_SIZE=3": `-x: "MUSTER_SIZE": names that begin with MUSTER_ are the manifest's`,
		"kubernetes -n 2 --imag i":                   `no flag "--imag"; did you mean --image?`,
		"kubernetes -n 2 --image i \xff":             "is not UTF-8",
		"kubernetes -n 1001 --image i --name " + strings.Repeat("a", 59):   "has more than 63 characters",
		"kubernetes -n 1000 --image i --secret s --name a --on-failure no": `--on-failure: "no": expected abort or return`,
	} {
		_, err := parseManifest(strings.Split(line, " ")[:len(strings.Fields(line))])
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("muster manifest %q: %v, want %s", line, err, want)
		}
	}
	if _, err := parseManifest(strings.Fields("kubernetes -n 1000 --image i --name " + strings.Repeat("a", 59))); err != nil {
		t.Errorf("a name that is just short enough: %v", err)
	}
}

func TestTheHelpOnManifestsNamesEveryFlag(t *testing.T) {
	checkFlags(t, manifestHelp(), manifestFlags)
}
