# The one image of the project: /signalr-operator, the controller, and /signalr-edge, the service that it runs.
#
#   hack/image                                              build it with what this machine has, or without a builder
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.2.3 --tag NAME --push .
#
# hack/rootfs makes every file of it, here and in hack/image alike; the last stage below is all that hack/pack reads
# when it assembles the same image without a builder.
ARG GO_VERSION=1.26

# Go compiles for any platform: no emulation, whatever TARGETARCH is.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:${GO_VERSION} AS build
ENV GOMODCACHE=/cache/mod GOCACHE=/cache/build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=type=cache,target=/cache \
    GOOS=${TARGETOS} GOARCH=${TARGETARCH} VERSION=${VERSION} hack/rootfs /out

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="signalr-operator" \
      org.opencontainers.image.description="Self-hosted, wire-compatible Azure SignalR Service: operator and edge" \
      org.opencontainers.image.source="https://github.com/signalr-operator/signalr-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ /
# A number, so that runAsNonRoot can be checked without a passwd file.
USER 65532:65532
ENTRYPOINT ["/signalr-operator"]
