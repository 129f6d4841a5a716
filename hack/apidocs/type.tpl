{{- /* A section for a struct of the API and, after it, one for each struct in it. */ -}}
{{- define "section" -}}
{{- $path := .path -}}
{{- $type := .type -}}
{{- range until 2 }}{{ if or (eq $type.Kind 5) (eq $type.Kind 4) }}{{ $type = $type.UnderlyingType }}{{ end }}{{ end }}
## {{ $path }}

{{ .doc }}

{{ range $type.Members -}}
{{ template "field" (dict "path" $path "field" .) }}
{{- end -}}
{{- range $type.Members -}}
{{- $in := .Type -}}
{{- $at := printf "%s.%s" $path .Name -}}
{{- if eq $in.Kind 4 }}{{ $in = $in.UnderlyingType }}{{ end -}}
{{- if eq $in.Kind 5 }}{{ $in = $in.UnderlyingType }}{{ $at = printf "%s[]" $at }}{{ end -}}
{{- if and (eq $in.Kind 6) (hasPrefix "github.com/signalr-operator/" $in.Package) }}
{{ template "section" (dict "path" $at "doc" $in.Doc "type" $in) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A field: what it is and what it may hold; for an enum, what each value means. */ -}}
{{- define "field" -}}
{{- $in := .field.Type -}}
{{- if or (eq $in.Kind 4) (eq $in.Kind 5) }}{{ $in = $in.UnderlyingType }}{{ end -}}
{{- $ours := hasPrefix "github.com/signalr-operator/" $in.Package -}}
- **`{{ .field.Name }}`**
{{- if and $ours (eq $in.Kind 6) }}: {{ if eq .field.Type.Kind 5 }}list of objects{{ else }}object{{ end }}, see
  [{{ .path }}.{{ .field.Name }}](#{{ printf "%s%s" .path .field.Name | replace "." "" | replace "[]" "" | lower }})
{{- else if and $ours $in.EnumValues }}: one of {{ range $i, $v := $in.EnumValues }}{{ if $i }}, {{ end }}`{{ $v.Name }}`{{ end }}
{{- else if $ours }}: string
{{- else }}: {{ markdownRenderType .field.Type | replace "integer" "whole number" }}
{{- end }}

  {{ .field.Doc | replace "\n" "\n  " | replace "\n  \n" "\n\n" }}
{{ if and $ours $in.EnumValues }}
{{ range $in.EnumValues }}  - `{{ .Name }}` {{ regexReplaceAll "^[A-Za-z]+ " (.Doc | replace "\n" " ") "" | trim }}
{{ end }}{{ end }}
{{ end -}}
