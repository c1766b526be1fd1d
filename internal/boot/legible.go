package boot

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Legible puts U+FFFD in place of whatever is not UTF-8 in the texts of m, of which a
// message could not be sent otherwise.
func Legible(m proto.Message) { legible(m.ProtoReflect()) }

func legible(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap(): // there is none
		case f.IsList():
			for i := range v.List().Len() {
				switch f.Kind() {
				case protoreflect.StringKind:
					if text := v.List().Get(i).String(); !utf8.ValidString(text) {
						v.List().Set(i, protoreflect.ValueOfString(replaced(text)))
					}
				case protoreflect.MessageKind:
					legible(v.List().Get(i).Message())
				}
			}
		case f.Kind() == protoreflect.StringKind:
			if text := v.String(); !utf8.ValidString(text) {
				m.Set(f, protoreflect.ValueOfString(replaced(text)))
			}
		case f.Kind() == protoreflect.MessageKind:
			legible(v.Message())
		}
		return true
	})
}

func replaced(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
