{{- define "millstream.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "millstream.labels" -}}
app.kubernetes.io/name: millstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "millstream.selector" -}}
app.kubernetes.io/name: millstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{/* A mounted Secret can be read by the group, or by root alone; our keys are refused unless they are
their owner's alone. So they are copied, in memory. `default.1.key` is the first pseudonym key of a tenant. */}}
{{- define "millstream.own-keys" -}}
for folder in keys{{ range $folder, $_ := .private }} {{ $folder }}{{ end }}; do
  for file in /run/secrets/$folder/*; do
    [ ! -f "$file" ] || install -m 600 "$file" "/var/lib/millstream/$folder/"
  done
done
for file in /run/secrets/pseudonym-keys/*.key; do
  [ -f "$file" ] || continue
  name=${file##*/}
  install -d -m 700 "/var/lib/millstream/pseudonym-keys/${name%%.*}"
  install -m 600 "$file" "/var/lib/millstream/pseudonym-keys/${name%%.*}/${name#*.}"
done
{{- end -}}

{{- define "millstream.sasl" -}}
{{- if hasPrefix "SASL_" .Values.kafka.securityProtocol }}yes{{ end -}}
{{- end -}}

{{- define "millstream.tls" -}}
{{- if hasSuffix "SSL" .Values.kafka.securityProtocol }}yes{{ end -}}
{{- end -}}

{{/* By their names the files of how lists are made; empty where nothing is said of it. */}}
{{- define "millstream.ranking" -}}
{{- with .Values.ranking.shared }}
ranking.json: {{ toJson . | quote }}
{{- end }}
{{- range $tenant, $settings := .Values.ranking.tenants }}
tenants.{{ $tenant }}.json: {{ toJson $settings | quote }}
{{- end }}
{{- end -}}

{{/* One role's pod: its container, what it mounts and how it is looked after. `probes`: whether it
goes on until it is told to end; `keys`: the Secret of the signing keys; `private`: by folder those of
others; `ranks`: whether it makes lists; `args`: its words. */}}
{{- define "millstream.pod" -}}
{{- $v := .root.Values -}}
{{- $secret := get $v.secrets .secret -}}
{{- $ranking := and .ranks (include "millstream.ranking" .root) -}}
{{- $annotations := $v.podAnnotations -}}
{{- if $ranking -}}
{{- $annotations = merge (dict "millstream/ranking" (include "millstream.ranking" .root | sha256sum)) $annotations -}}
{{- end -}}
metadata:
  labels:
    {{- include "millstream.labels" . | nindent 4 }}
    {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: 30
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- if .keys }}
  initContainers:
    - name: own-keys
      image: "{{ $v.image.repository }}:{{ $v.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ $v.image.pullPolicy }}
      command: [sh, -ec]
      args:
        - |
          {{- include "millstream.own-keys" . | nindent 10 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {memory: 64Mi}
      volumeMounts:
        - {name: keys-secret, mountPath: /run/secrets/keys, readOnly: true}
        - {name: keys, mountPath: /var/lib/millstream/keys}
        {{- range $folder, $_ := .private }}
        - {name: {{ $folder }}-secret, mountPath: /run/secrets/{{ $folder }}, readOnly: true}
        - {name: {{ $folder }}, mountPath: /var/lib/millstream/{{ $folder }}}
        {{- end }}
        {{- with .pseudonyms }}
        - {name: pseudonym-keys-secret, mountPath: /run/secrets/pseudonym-keys, readOnly: true}
        - {name: pseudonym-keys, mountPath: /var/lib/millstream/pseudonym-keys}
        {{- end }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: "{{ $v.image.repository }}:{{ $v.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: {{ toJson .args }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      env:
        {{- include "millstream.env" . | nindent 8 }}
      ports:
        {{- if .probes }}
        - {name: metrics, containerPort: {{ $v.metrics.port }}}
        {{- end }}
        {{- with .port }}
        - {name: http, containerPort: {{ . }}}
        {{- end }}
      {{- if .probes }}
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: /readyz, port: {{ if .port }}http{{ else }}metrics{{ end }}}
        periodSeconds: 5
        timeoutSeconds: 5
      {{- end }}
      {{- with .resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: scratch, mountPath: /tmp}
        - {name: secret, mountPath: /run/secrets/millstream, readOnly: true}
        {{- if and (include "millstream.tls" .root) $v.kafka.caSecret }}
        - {name: kafka-ca, mountPath: /run/secrets/kafka-ca, readOnly: true}
        {{- end }}
        {{- if and .redis $v.redis.caSecret }}
        - {name: redis-ca, mountPath: /run/secrets/redis-ca, readOnly: true}
        {{- end }}
        {{- if .keys }}
        - {name: keys, mountPath: /var/lib/millstream/keys, readOnly: {{ ne .role "init" }}}
        {{- end }}
        {{- range $folder, $_ := .private }}
        - {name: {{ $folder }}, mountPath: /var/lib/millstream/{{ $folder }}, readOnly: true}
        {{- end }}
        {{- with .pseudonyms }}
        - {name: pseudonym-keys, mountPath: /var/lib/millstream/pseudonym-keys, readOnly: true}
        {{- end }}
        {{- if $ranking }}
        - {name: ranking, mountPath: /etc/millstream/ranking, readOnly: true}
        {{- end }}
        {{- with .mounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: scratch
      emptyDir: {sizeLimit: 1Gi}
    - name: secret
      secret:
        secretName: {{ required (printf "secrets.%s: the name of a Secret" .secret) $secret }}
        defaultMode: 0440
    {{- if and (include "millstream.tls" .root) $v.kafka.caSecret }}
    - name: kafka-ca
      secret: {secretName: {{ $v.kafka.caSecret }}}
    {{- end }}
    {{- if and .redis $v.redis.caSecret }}
    - name: redis-ca
      secret: {secretName: {{ $v.redis.caSecret }}}
    {{- end }}
    {{- with .keys }}
    - name: keys-secret
      secret: {secretName: {{ . }}, defaultMode: 0440}
    - name: keys
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- end }}
    {{- range $folder, $secret := .private }}
    - name: {{ $folder }}-secret
      secret: {secretName: {{ $secret }}, defaultMode: 0440}
    - name: {{ $folder }}
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- end }}
    {{- with .pseudonyms }}
    - name: pseudonym-keys-secret
      secret: {secretName: {{ . }}, defaultMode: 0440}
    - name: pseudonym-keys
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- end }}
    {{- if $ranking }}
    - name: ranking
      configMap:
        name: {{ include "millstream.name" .root }}-ranking
        items:
          {{- if $v.ranking.shared }}
          - {key: ranking.json, path: ranking.json}
          {{- end }}
          {{- range $tenant, $_ := $v.ranking.tenants }}
          - {key: tenants.{{ $tenant }}.json, path: tenants/{{ $tenant }}.json}
          {{- end }}
    {{- end }}
    {{- with .volumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "millstream.env" -}}
{{- $v := .root.Values -}}
{{- $secret := get $v.secrets .secret -}}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ required "kafka.bootstrapServers: host:port, several with commas" $v.kafka.bootstrapServers | quote }}}
- {name: KAFKA_SECURITY_PROTOCOL, value: {{ $v.kafka.securityProtocol }}}
{{- if include "millstream.sasl" .root }}
- {name: KAFKA_SASL_MECHANISM, value: {{ $v.kafka.saslMechanism }}}
- name: KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: kafka-username}}
- {name: KAFKA_SASL_PASSWORD_FILE, value: /run/secrets/millstream/kafka-password}
{{- end }}
{{- if and (include "millstream.tls" .root) $v.kafka.caSecret }}
- {name: KAFKA_SSL_CA_FILE, value: /run/secrets/kafka-ca/ca.crt}
{{- end }}
{{- if .redis }}
- {name: REDIS_URL, value: {{ required "redis.url: rediss://host:6379/0" $v.redis.url | quote }}}
- name: REDIS_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: redis-username}}
- {name: REDIS_PASSWORD_FILE, value: /run/secrets/millstream/redis-password}
{{- if $v.redis.caSecret }}
- {name: REDIS_SSL_CA_FILE, value: /run/secrets/redis-ca/ca.crt}
{{- end }}
{{- end }}
- {name: MILLSTREAM_TOPIC_PREFIX, value: {{ $v.topicPrefix | quote }}}
- {name: MILLSTREAM_REDIS_PREFIX, value: {{ $v.redisPrefix | quote }}}
{{- if .probes }}
- {name: MILLSTREAM_METRICS_HOST, value: "0.0.0.0"}
- {name: MILLSTREAM_METRICS_PORT, value: {{ $v.metrics.port | quote }}}
{{- end }}
{{- if $v.tracing.enabled }}
- {name: MILLSTREAM_TRACING, value: "true"}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ required "tracing.endpoint: where spans go by OTLP over HTTP" $v.tracing.endpoint | quote }}}
{{- end }}
{{- if and .ranks $v.ranking.shared }}
- {name: MILLSTREAM_RANKING_FILE, value: /etc/millstream/ranking/ranking.json}
{{- end }}
{{- if and .ranks $v.ranking.tenants }}
- {name: MILLSTREAM_RANKING_DIR, value: /etc/millstream/ranking/tenants}
{{- end }}
{{- with .env }}{{ toYaml . | nindent 0 }}{{ end }}
{{- range $name, $value := .settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{- define "millstream.claim" -}}
{{- $given := get .root.Values.persistence .volume -}}
{{- $given.existingClaim | default (printf "%s-%s" (include "millstream.name" .root) .volume) -}}
{{- end -}}
