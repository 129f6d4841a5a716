{{- define "gvDetails" -}}
{{- $gv := . -}}
{{- range $gv.SortedKinds }}
{{- $kind := $gv.TypeForKind . }}
{{ $kind.Doc }}
{{ range $kind.Members -}}
{{- if eq .Name "metadata" }}
## metadata

{{ .Doc }}
{{ else if or (eq .Name "spec") (eq .Name "status") -}}
{{ template "section" (dict "path" .Name "doc" .Doc "type" .Type) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
