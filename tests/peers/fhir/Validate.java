/* Validate.java - asks the validator of HL7 FHIR (as HAPI FHIR ships it) about resources, one a line, without any network.
 *
 * usage: java -cp 'lib/*' Validate.java FILE...    a line of what is said: severity, file:line, type, place, message; then "checked N".
 * exit 1 when there is any error.
 */
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

public class Validate {
    public static void main(String[] files) throws Exception {
        FhirContext context = FhirContext.forR4();
        ValidationSupportChain chain = new ValidationSupportChain(
                new DefaultProfileValidationSupport(context), new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context), new SnapshotGeneratingValidationSupport(context));
        FhirInstanceValidator instance = new FhirInstanceValidator(chain);
        instance.setNoTerminologyChecks(false);
        FhirValidator validator = context.newValidator().registerValidatorModule(instance);
        TreeMap<String, Integer> types = new TreeMap<>();
        boolean failed = false;
        int checked = 0;
        for (String file : files) {
            int number = 0;
            for (String line : Files.readAllLines(Path.of(file))) {
                number++;
                if (line.isBlank()) continue;
                checked++;
                int at = line.indexOf("\"resourceType\":\"") + 16;
                String type = line.substring(at, line.indexOf('"', at));
                types.merge(type, 1, Integer::sum);
                for (SingleValidationMessage said : validator.validateWithResult(line).getMessages()) {
                    boolean bad = said.getSeverity() == ResultSeverityEnum.ERROR || said.getSeverity() == ResultSeverityEnum.FATAL;
                    failed |= bad;
                    if (bad || said.getSeverity() == ResultSeverityEnum.WARNING)
                        System.out.println(said.getSeverity() + "\t" + Path.of(file).getFileName() + ":" + number + "\t" + type
                                + "\t" + said.getLocationString() + "\t" + said.getMessage().replace('\n', ' '));
                }
            }
        }
        System.out.println("checked " + checked + " " + types);
        System.exit(failed ? 1 : 0);
    }
}
