package collector

import (
	"context"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// Product is what a server says it is (BuildInfo, OPC 10000-5, 12.4).
type Product struct {
	Maker   string `json:"maker"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// product asks for the whole and for its parts: servers have one, the other or
// both.
func (l *link) product(ctx context.Context) (Product, error) {
	v, err := l.read(ctx, requestTimeout, ua.AttributeIDValue,
		ua.NewNumericNodeID(0, id.Server_ServerStatus_BuildInfo),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_BuildInfo_ManufacturerName),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_BuildInfo_ProductName),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_BuildInfo_SoftwareVersion))
	if err != nil {
		return Product{}, fmt.Errorf("asking the server for its maker: %w", err)
	}
	var p Product
	if x, ok := good[*ua.ExtensionObject](v[0]); ok && x != nil {
		if b, ok := x.Value.(*ua.BuildInfo); ok && b != nil {
			p = Product{b.ManufacturerName, b.ProductName, b.SoftwareVersion}
		}
	}
	for i, part := range []*string{&p.Maker, &p.Name, &p.Version} {
		if s, ok := good[string](v[i+1]); ok && s != "" {
			*part = s
		}
		*part = line(*part, mostText)
	}
	return p, nil
}
