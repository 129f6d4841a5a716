package appserver

import (
	"fmt"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// wireOf returns the codec of a protocol name that the server speaks.
func wireOf(protocol string) hub.Protocol {
	p, _ := hub.ParseProtocol(protocol)
	return p
}

// encodeArguments returns args as one array in the encoding of protocol.
func encodeArguments(protocol string, args []any) ([]byte, error) {
	pack := protocol == protocolMessagePack
	b := []byte{'['}
	if pack {
		b = msgpack.AppendArrayHeader(nil, len(args))
	}
	for i, a := range args {
		v, err := encodeValue(protocol, a)
		if err != nil {
			return nil, fmt.Errorf("encode argument %d: %w", i, err)
		}
		if i > 0 && !pack {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	if !pack {
		b = append(b, ']')
	}
	return b, nil
}

// invocationFrame returns an Invocation; id is empty for fire and forget.
func invocationFrame(protocol, id, target string, args []any) ([]byte, error) {
	arguments, err := encodeArguments(protocol, args)
	if err != nil {
		return nil, fmt.Errorf("invoke %q: %w", target, err)
	}
	return hub.AppendInvocation(nil, wireOf(protocol), id, target, arguments), nil
}

// streamItemFrame returns a StreamItem.
func streamItemFrame(protocol, id string, item any) ([]byte, error) {
	v, err := encodeValue(protocol, item)
	if err != nil {
		return nil, err
	}
	m := hub.Message{Type: hub.TypeStreamItem, InvocationID: id, HasInvocationID: true, Item: v}
	return hub.Append(nil, wireOf(protocol), &m), nil
}

// completionFrame returns a Completion with an error text, a value, or neither (void).
func completionFrame(protocol, id, errText string, result any) ([]byte, error) {
	var value []byte
	if errText == "" && !isVoid(result) {
		var err error
		if value, err = encodeValue(protocol, result); err != nil {
			return nil, err
		}
	}
	return hub.AppendCompletion(nil, wireOf(protocol), id, value, errText), nil
}

// payloads encodes one invocation for each of protocols.
func payloads(protocols []string, id, target string, args []any) (service.Payloads, error) {
	p := make(service.Payloads, 0, len(protocols))
	for _, name := range protocols {
		frame, err := invocationFrame(name, id, target, args)
		if err != nil {
			return nil, err
		}
		p = append(p, service.Payload{Protocol: name, Data: frame})
	}
	return p, nil
}
