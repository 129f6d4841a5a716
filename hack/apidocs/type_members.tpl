{{- /* Fields are rendered by the template "field". */ -}}
