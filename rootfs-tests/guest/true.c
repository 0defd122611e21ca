/* The program that the live tests copy and execute: one that goes by no name, as an
 * applet of busybox does. */
int main(void)
{
	return 0;
}
