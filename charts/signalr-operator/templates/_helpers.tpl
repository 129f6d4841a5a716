{{/* What the objects are called and labelled. */}}

{{- define "signalr-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name where it has the chart's in it, else both; 40 characters, to leave room for what follows. */}}
{{- define "signalr-operator.fullname" -}}
{{- $name := include "signalr-operator.name" . -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "signalr-operator.serviceAccountName" -}}
{{- $default := ternary (include "signalr-operator.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{- define "signalr-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "signalr-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: manager
{{- end -}}

{{/* The labels of every object. What the chart sets stays, whatever commonLabels has. */}}
{{- define "signalr-operator.labels" -}}
{{- toYaml (merge (fromYaml (include "signalr-operator.ownLabels" .)) .Values.commonLabels) -}}
{{- end -}}

{{- define "signalr-operator.podLabels" -}}
{{- $own := merge (fromYaml (include "signalr-operator.selectorLabels" .)) (dict "app.kubernetes.io/part-of" "signalr-operator") -}}
{{- toYaml (merge $own .Values.podLabels .Values.commonLabels) -}}
{{- end -}}

{{- define "signalr-operator.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/name: {{ include "signalr-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: signalr-operator
{{- end -}}

{{- define "signalr-operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- $version := ternary (printf "@%s" .Values.image.digest) (printf ":%s" $tag) (not (empty .Values.image.digest)) -}}
{{- printf "%s%s" .Values.image.repository $version -}}
{{- end -}}

{{/* What no schema can say. */}}
{{- define "signalr-operator.check" -}}
{{- with .Values.leaderElection -}}
{{- if ge (int .renewSeconds) (int .leaseSeconds) -}}
{{- fail "leaderElection.renewSeconds must be less than leaderElection.leaseSeconds" -}}
{{- end -}}
{{- if ge (mul (int .retrySeconds) 12) (mul (int .renewSeconds) 10) -}}
{{- fail "leaderElection.renewSeconds must be more than 1.2 times leaderElection.retrySeconds" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) 8081) -}}
{{- fail "metrics.port must not be 8081, where the probes are answered" -}}
{{- end -}}
{{- end -}}
