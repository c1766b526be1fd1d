package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/muster-mpi/muster/internal/boot"
	"github.com/muster-mpi/muster/internal/rendezvous"
	"github.com/muster-mpi/muster/launcher"
)

// manifest is muster manifest.
func manifest(args []string, stdout, stderr io.Writer) int {
	l, err := parseManifest(args)
	switch {
	case err != nil:
		return failed(stderr, launcher.ExitUsage, err)
	case l.help:
		fmt.Fprint(stdout, manifestHelp())
		return 0
	}
	token := make([]byte, 32)
	rand.Read(token)
	if _, err := io.WriteString(stdout, l.yaml(hex.EncodeToString(token))); err != nil {
		return failed(stderr, launcher.ExitResource, err)
	}
	return 0
}

// What pods know of each other.
const (
	podPort    = 7777
	podTokenIn = "/var/run/muster"
	podUser    = 65532
)

// yaml returns the manifest. Whatever the user has named is quoted as in JSON, which
// YAML is a superset of.
func (l *manifestLine) yaml(token string) string {
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		fmt.Fprintf(&b, "%*s", 2*indent, "")
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	metadata := func(name string) {
		line(0, "metadata:")
		line(1, "name: %s", quoted(name))
		if l.namespace != "" {
			line(1, "namespace: %s", quoted(l.namespace))
		}
		line(1, "labels:")
		line(2, "app.kubernetes.io/name: %s", quoted(l.name))
		line(2, "app.kubernetes.io/managed-by: muster")
	}
	secret := l.secret
	if secret == "" {
		secret = l.name + "-token"
		line(0, "apiVersion: v1")
		line(0, "kind: Secret")
		metadata(secret)
		line(0, "type: Opaque")
		line(0, "stringData:")
		line(1, "token: %s", quoted(token))
		line(0, "---")
	}

	line(0, "apiVersion: v1")
	line(0, "kind: Service")
	metadata(l.name)
	line(0, "spec:")
	line(1, "clusterIP: None")
	line(1, "publishNotReadyAddresses: true # ranks look for rank 0 while it starts")
	line(1, "selector:")
	line(2, "batch.kubernetes.io/job-name: %s", quoted(l.name))
	line(1, "ports:")
	line(2, "- name: muster")
	line(2, "  port: %d", podPort)
	line(0, "---")

	line(0, "apiVersion: batch/v1")
	line(0, "kind: Job")
	metadata(l.name)
	line(0, "spec:")
	line(1, "completionMode: Indexed")
	line(1, "completions: %d", l.ranks)
	line(1, "parallelism: %d", l.ranks)
	line(1, "backoffLimit: 0")
	line(1, "podFailurePolicy: # a rank that ended cannot be replaced")
	line(2, "rules:")
	line(2, "- action: FailJob")
	line(2, "  onExitCodes:")
	line(4, "operator: NotIn")
	line(4, "values: [0]")
	line(2, "- action: FailJob")
	line(2, "  onPodConditions:")
	line(3, "- type: DisruptionTarget")
	line(3, "  status: \"True\"")
	line(1, "template:")
	line(2, "metadata:")
	line(3, "labels:")
	line(4, "app.kubernetes.io/name: %s", quoted(l.name))
	line(4, "app.kubernetes.io/managed-by: muster")
	line(2, "spec:")
	line(3, "subdomain: %s", quoted(l.name))
	line(3, "restartPolicy: Never")
	line(3, "terminationGracePeriodSeconds: 10")
	line(3, "automountServiceAccountToken: false")
	line(3, "enableServiceLinks: false")
	line(3, "securityContext:")
	line(4, "runAsNonRoot: true")
	line(4, "runAsUser: %d", podUser)
	line(4, "runAsGroup: %d", podUser)
	line(4, "fsGroup: %d", podUser)
	line(4, "seccompProfile:")
	line(5, "type: RuntimeDefault")
	line(3, "containers:")
	line(3, "- name: rank")
	line(4, "image: %s", quoted(l.image))
	if len(l.command) > 0 {
		line(4, "command: %s", quoted(l.command))
	}
	line(4, "ports:")
	line(4, "- name: muster")
	line(4, "  containerPort: %d", podPort)
	line(4, "env:")
	set := func(name, value string) {
		line(4, "- name: %s", name)
		line(4, "  value: %s", quoted(value))
	}
	field := func(name, path string) {
		line(4, "- name: %s", name)
		line(4, "  valueFrom:")
		line(6, "fieldRef:")
		line(7, "fieldPath: %s", path)
	}
	set(rendezvous.EnvRendezvous, fmt.Sprintf("%s-0.%s:%d", l.name, l.name, podPort))
	set(rendezvous.EnvTokenFile, podTokenIn+"/token")
	field(rendezvous.EnvRun, "metadata.labels['batch.kubernetes.io/controller-uid']")
	field(boot.EnvRank, "metadata.annotations['batch.kubernetes.io/job-completion-index']")
	set(boot.EnvSize, fmt.Sprint(l.ranks))
	if l.startTimeout > 0 {
		set(rendezvous.EnvStartTimeout, l.startTimeout.String())
	}
	if l.onFailure != "" {
		set(rendezvous.EnvOnFailure, l.onFailure)
	}
	for _, kv := range l.env {
		name, value, _ := strings.Cut(kv, "=")
		set(name, value)
	}
	if l.cpus != "" || l.memory != "" {
		line(4, "resources:")
		for _, kind := range []string{"requests", "limits"} {
			line(5, "%s:", kind)
			if l.cpus != "" {
				line(6, "cpu: %s", quoted(l.cpus))
			}
			if l.memory != "" {
				line(6, "memory: %s", quoted(l.memory))
			}
		}
	}
	line(4, "securityContext:")
	line(5, "allowPrivilegeEscalation: false")
	line(5, "readOnlyRootFilesystem: true")
	line(5, "capabilities:")
	line(6, "drop: [ALL]")
	line(4, "volumeMounts:")
	line(4, "- name: token")
	line(4, "  mountPath: %s", podTokenIn)
	line(4, "  readOnly: true")
	line(4, "- name: tmp")
	line(4, "  mountPath: /tmp")
	line(3, "volumes:")
	line(3, "- name: token")
	line(3, "  secret:")
	line(5, "secretName: %s", quoted(secret))
	line(5, "defaultMode: 288 # 0440: the group's, which fsGroup makes the pod's")
	line(3, "- name: tmp")
	line(3, "  emptyDir: {}")
	return b.String()
}

// quoted returns v as JSON.
func quoted(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings have no error
	}
	return strings.TrimSuffix(b.String(), "\n")
}
