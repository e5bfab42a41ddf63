package plant

import (
	"fmt"
	"strings"
)

// Quality is a full OPC UA StatusCode (OPC 10000-4, 7.39): severity in the top
// two bits, then the sub-code, then info bits.
type Quality uint32

// Qualities that Millwright itself sets or asks for.
const (
	Good                     Quality = 0
	Uncertain                Quality = 0x40000000
	UncertainLastUsableValue Quality = 0x40900000
	StaleValue               Quality = 0x408F0000 // UncertainNoCommunicationLastUsableValue: the live view's mark for stale
	Bad                      Quality = 0x80000000
	BadWaitingForInitialData Quality = 0x80320000
	BadNotConnected          Quality = 0x808A0000
	BadDeviceFailure         Quality = 0x808B0000
	BadSensorFailure         Quality = 0x808C0000
	BadOutOfService          Quality = 0x808D0000
	BadNoCommunication       Quality = 0x80310000
	BadNoData                Quality = 0x809B0000

	infoData     Quality = 0x00000400 // InfoType = DataValue
	infoOverflow Quality = 0x00000080
)

// IsGood, IsUncertain and IsBad read the severity.
func (q Quality) IsGood() bool      { return q>>30 == 0 }
func (q Quality) IsUncertain() bool { return q>>30 == 1 }
func (q Quality) IsBad() bool       { return q>>30 >= 2 }

// Overflow reports the overflow bit of a data value: the server dropped values
// of this item right before or after this one.
func (q Quality) Overflow() bool { return q&(infoData|infoOverflow) == infoData|infoOverflow }

// WithOverflow sets the overflow bit.
func (q Quality) WithOverflow() Quality { return q | infoData | infoOverflow }

// WithoutInfo drops the info bits, which concern one delivery and not the value.
func (q Quality) WithoutInfo() Quality { return q &^ 0x0000FFFF }

var qualityNames = map[Quality]string{
	0x00000000: "Good",
	0x002F0000: "GoodCompletesAsynchronously",
	0x00960000: "GoodLocalOverride",
	0x00A20000: "GoodEntryInserted",
	0x00A30000: "GoodEntryReplaced",
	0x40000000: "Uncertain",
	0x408F0000: "UncertainNoCommunicationLastUsableValue",
	0x40900000: "UncertainLastUsableValue",
	0x40910000: "UncertainSubstituteValue",
	0x40920000: "UncertainInitialValue",
	0x40930000: "UncertainSensorNotAccurate",
	0x40940000: "UncertainEngineeringUnitsExceeded",
	0x40950000: "UncertainSubNormal",
	0x80000000: "Bad",
	0x80010000: "BadUnexpectedError",
	0x80020000: "BadInternalError",
	0x80030000: "BadOutOfMemory",
	0x80050000: "BadCommunicationError",
	0x800A0000: "BadTimeout",
	0x80310000: "BadNoCommunication",
	0x80320000: "BadWaitingForInitialData",
	0x80330000: "BadNodeIdInvalid",
	0x80340000: "BadNodeIdUnknown",
	0x803A0000: "BadNotReadable",
	0x803C0000: "BadOutOfRange",
	0x803D0000: "BadNotSupported",
	0x803E0000: "BadNotFound",
	0x80890000: "BadConfigurationError",
	0x808A0000: "BadNotConnected",
	0x808B0000: "BadDeviceFailure",
	0x808C0000: "BadSensorFailure",
	0x808D0000: "BadOutOfService",
	0x808E0000: "BadDeadbandFilterInvalid",
	0x809B0000: "BadNoData",
	0x80D70000: "BadBoundNotFound",
	0x80DA0000: "BadDataUnavailable",
}

// String is the OPC UA name of the code without its info bits, or the code in
// hexadecimal where the name is not one that values carry.
func (q Quality) String() string {
	if n, ok := qualityNames[q.WithoutInfo()]; ok {
		return n
	}
	return fmt.Sprintf("0x%08X", uint32(q))
}

// Severity is "good", "uncertain" or "bad".
func (q Quality) Severity() string {
	switch {
	case q.IsGood():
		return "good"
	case q.IsUncertain():
		return "uncertain"
	}
	return "bad"
}

// ParseQuality reads what String writes.
func ParseQuality(s string) (Quality, error) {
	for q, n := range qualityNames {
		if strings.EqualFold(n, s) {
			return q, nil
		}
	}
	var v uint32
	if _, err := fmt.Sscanf(s, "0x%08X", &v); err == nil {
		return Quality(v), nil
	}
	return 0, fmt.Errorf("quality %q: not an OPC UA status name", s)
}
