@rem Runs the Gradle that gradle\wrapper names; see gradlew.
@set JAR=%~dp0gradle\wrapper\gradle-wrapper.jar
@if not exist "%JAR%" (echo %JAR% is missing: run 'gradle wrapper' once & exit /b 1)
@java -cp "%JAR%" org.gradle.wrapper.GradleWrapperMain %*
