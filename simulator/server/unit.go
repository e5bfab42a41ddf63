package server

import "github.com/gopcua/opcua/ua"

// unitInformation tells a unit with its UNECE Recommendation 20 code where it
// has a well-known one (OPC 10000-8, 5.6.4), else with id -1.
func unitInformation(unit string) *ua.EUInformation {
	code, known := map[string]string{
		"mm/s": "C16", "m/s": "MTS", "mm/s2": "", "m/s2": "MSK", "mm": "MMT", "µm": "4H", "um": "4H", "m": "MTR",
		"°C": "CEL", "degC": "CEL", "K": "KEL", "bar": "BAR", "mbar": "MBR", "Pa": "PAL", "kPa": "KPA", "MPa": "MPA",
		"A": "AMP", "V": "VLT", "W": "WTT", "kW": "KWT", "MW": "MAW", "Hz": "HTZ", "kHz": "KHZ", "rpm": "RPM", "1/min": "RPM",
		"%": "P1", "N": "NEW", "kN": "B47", "MN": "B73", "Nm": "NU", "kNm": "B48", "s": "SEC", "h": "HUR", "min": "MIN",
		"l/min": "L2", "m3/h": "MQH", "m³/h": "MQH", "kg": "KGM", "t": "TNE", "rad/s": "2A",
	}[unit]
	info := &ua.EUInformation{
		NamespaceURI: "http://www.opcfoundation.org/UA/units/un/cefact",
		UnitID:       -1, DisplayName: text(unit), Description: text(unit),
	}
	if known && code != "" {
		info.UnitID = 0
		for i := range code {
			info.UnitID = info.UnitID<<8 | int32(code[i])
		}
	}
	return info
}
